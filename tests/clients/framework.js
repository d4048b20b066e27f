// A client made of irc-framework, driven by lines: what happens is written to standard output, what is to be said comes
// from standard input. Arguments: port, account, and how to log in: sasl, pass, web (sasl, over a WebSocket), web-plain
// (the same without a subprotocol), or history
// (sasl, and then CHATHISTORY instead of what the server tells unasked). The password comes in CHAT_PASSWORD.
"use strict";

const net = require("net");
const readline = require("readline");
const { Client } = require("irc-framework");

const [port, account, login] = process.argv.slice(2);
const password = process.env.CHAT_PASSWORD;
const tell = (...words) => console.log(words.join(" "));

const client = new Client();
if (login === "history") {
    client.requestCap("draft/chathistory");
}
const options = {
    host: "127.0.0.1",
    port: Number(port),
    tls: true,
    rejectUnauthorized: false,
    nick: account,
    username: account,
    gecos: account + " in irc-framework",
    enable_echomessage: true,
    auto_reconnect: false,
};
const web = login.startsWith("web");
if (web) {
    options.transport = require("irc-framework/src/transports/websocket");
    options.websocket_protocol = login === "web" ? "text.ircv3.net" : "";
    options.path = login === "web" ? "/irc" : "/";
}
if (login === "pass") {
    options.password = account + ":" + password;
    options.account = {};
} else {
    options.account = { account, password };
    options.sasl_disconnect_on_fail = true;
}

let leaving = false;
client.on("registered", () => tell("REGISTERED"));
client.on("join", (event) => tell("JOIN", event.channel, event.nick));
client.on("userlist", (event) => tell("USERS", event.channel, event.users.map((user) => user.nick).sort().join(",")));
client.on("batch end chathistory", (batch) => tell("BATCH", batch.params[0], batch.commands.length));
client.on("message", (event) => {
    const when = event.time ? "dated" : "undated";
    tell("MESSAGE", event.type, event.target, event.nick, when, (event.tags || {}).msgid || "-", event.message);
});
client.on("close", () => {
    tell("CLOSED");
    if (leaving) {
        process.exit(0);
    }
    setTimeout(comeBack, 300);
});
client.connect(options);

// A WebSocket of Node.js that finds nobody there says nothing more, so we look first.
function comeBack() {
    if (!web) {
        client.connect(options);
        return;
    }
    const probe = net.connect(options.port, options.host);
    probe.on("connect", () => {
        probe.destroy();
        client.connect(options);
    });
    probe.on("error", () => setTimeout(comeBack, 300));
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const [verb, target, ...words] = line.split(" ");
    if (verb === "say") {
        client.say(target, words.join(" "));
    } else if (verb === "raw") {
        client.raw(line.slice(4));
    } else if (verb === "quit") {
        leaving = true;
        client.quit(line.slice(5));
    }
});
