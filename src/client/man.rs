//! What the manual pages of `chat` say beyond the grammar of the command line.

use crate::man::Sections;

pub const SECTIONS: Sections = &[
    (
        "chat",
        "EXAMPLES",
        "    chat alice@chat.example.org
    chat --save alice@chat.example.org
    chat --save=work --password-command 'pass show chat' alice@chat.example.org
    chat work
The first talks on a server. The second writes it into the configuration, so that plain chat goes there from then on; the
third gives it a name and says where its password is to be had, and the last one uses both.

    make 2>&1 | tail -n 20 | chat send --multiline '#builds'
    chat tail --json '#ops' | jq -r .text
    chat bot --exec 'fortune' --on '!fortune'
In scripts: a message of several lines, messages as they come, and a bot in one line.",
    ),
    (
        "chat",
        "FILES",
        "~/.config/chat/config.toml: servers and their names, where passwords come from, how the screen looks.
docs/chat-config.toml of the source explains every key.

~/.local/share/chat/known_hosts: the certificates you have said yes to, each on a line: host:port, SHA-256, day.
'chat forget HOST' takes one out.

~/.local/state/chat/last: the server of the last talk. ~/.local/state/chat/choices.toml: whom you ignore, and what rings
from which room, as you have chosen it by /ignore and /notify.

All of them are for their owner alone (mode 0600), and go by XDG_CONFIG_HOME, XDG_DATA_HOME and XDG_STATE_HOME.",
    ),
    (
        "chat",
        "ENVIRONMENT",
        "CHAT_SERVER: the server, where none is named on the command line.

CHAT_PASSWORD_FILE: a file whose first line is the password.

NO_COLOR: no colours. USER: who you are, where nobody says it.",
    ),
    (
        "chat",
        "SECURITY",
        "The connection is always TLS. A certificate that this system trusts is taken; any other has to be confirmed once, by
its fingerprint, and is then the only one taken for that server. No password is sent before. Passwords are never taken from
the command line, where other users of the machine could see them. What others write is stripped of control characters
before it is printed.",
    ),
    (
        "chat-send",
        "EXAMPLES",
        "    chat send '#ops' 'deploy of 2.1 is through'
    chat send --multiline '#ops' < report.txt
    tail -f /var/log/alarms | chat send '#ops'
    chat send --reply-to 3k7 bob 'that was me'
Rooms stand in quotes, since # begins a comment in most shells. When chat send ends with 0, all of it is stored on the server.",
    ),
    (
        "chat-tail",
        "EXAMPLES",
        "    chat tail '#ops'
    chat tail --json '#ops' | while read -r line; do handle \"$line\"; done",
    ),
    (
        "chat-history",
        "EXAMPLES",
        "    chat history '#ops'
    chat history --since 2026-11-23 --until 2026-11-23 '#ops'
    chat history --format csv --since 30d '#ops' > ops.csv
    chat history --json --after \"$LAST_SEEN_MSGID\" '#ops'
    chat history --around 2026-11-23T12:00 --events '#ops'
The fourth prints exactly what came since a message that was seen: keep its msgid. The last one prints what was said around a
time, and also who came and went, topics and modes.",
    ),
    (
        "chat-rooms",
        "EXAMPLES",
        "    chat rooms
    chat rooms --joined --json | jq -r .room",
    ),
    (
        "chat-bot",
        "EXAMPLES",
        "    chat bot --exec 'date' --on '!date'
    chat bot '#ops' --exec './answer.sh' --mentions
    chat bot --exec 'bc -l' --on '!calc'
The text of a message never becomes part of a command line: it comes on standard input and in CHAT_TEXT. In a script write
\"$CHAT_TEXT\" in double quotes, and do not hand it to eval.",
    ),
    (
        "chat-bot",
        "ENVIRONMENT OF THE COMMAND",
        "CHAT_TEXT: the message. CHAT_ARGS: the same without the word of --on.

CHAT_FROM: who said it. CHAT_ROOM: where, a room or a person. CHAT_DIRECT: 1 for a direct message, else 0.

CHAT_MSGID, CHAT_TIME: the message's id and time. CHAT_REPLY_TO: the message that it answers. CHAT_NICK: the bot's name.",
    ),
    (
        "*",
        "EXIT STATUS",
        "0: done; what was sent is stored. 1: it failed, and standard error says why and what to do.
2: wrong usage, or a fault in the configuration.",
    ),
    ("*", "SEE ALSO", "chat(1), chatd(1)"),
];
