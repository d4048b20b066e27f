"""A bot made of Python's irc, driven by lines: what happens is written to standard output, what is to be said comes from
standard input. Arguments: port, account, and how to log in: sasl or pass. The password comes in CHAT_PASSWORD."""

import functools
import os
import ssl
import sys
import threading

import irc.bot
import irc.connection


def tell(*words):
    print(*words, flush=True)


class Bot(irc.bot.SingleServerIRCBot):
    def __init__(self, port, account, login):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        wrapper = functools.partial(context.wrap_socket, server_hostname="chat.test")
        password = os.environ["CHAT_PASSWORD"]
        how = {"sasl_login": account} if login == "sasl" else {}
        super().__init__(
            [irc.bot.ServerSpec("127.0.0.1", port, password)],
            account,
            account + " in Python",
            recon=irc.bot.ExponentialBackoff(min_interval=1, max_interval=1),
            connect_factory=irc.connection.Factory(wrapper=wrapper),
            **how,
        )

    def on_welcome(self, connection, event):
        tell("REGISTERED", event.target)

    def on_join(self, connection, event):
        tell("JOIN", event.target, event.source.nick)

    def on_pubmsg(self, connection, event):
        tell("MESSAGE", "privmsg", event.target, event.source.nick, event.arguments[0])

    def on_privmsg(self, connection, event):
        tell("MESSAGE", "privmsg", event.target, event.source.nick, event.arguments[0])

    def on_action(self, connection, event):
        tell("MESSAGE", "action", event.target, event.source.nick, event.arguments[0])

    def on_disconnect(self, connection, event):
        tell("CLOSED")

    def listen(self):
        for line in sys.stdin:
            verb, _, rest = line.rstrip("\n").partition(" ")
            target, _, text = rest.partition(" ")
            if verb == "say":
                self.connection.privmsg(target, text)
            elif verb == "raw":
                self.connection.send_raw(rest)
            elif verb == "quit":
                self.connection.quit(rest)
                os._exit(0)


bot = Bot(int(sys.argv[1]), sys.argv[2], sys.argv[3])
threading.Thread(target=bot.listen, daemon=True).start()
bot.start()
