//! HELP: a few lines on a subject, which is a command, or what there is to know first.

use crate::proto::line::Message;
use crate::proto::numerics::*;

use super::Session;
use super::commands::Row;
use super::rooms::clean;

const START: &[&str] = &[
    "You are logged in; whatever is said here is kept",
    "JOIN #room enters a room, PART #room leaves it for good, LIST shows the rooms, NAMES #room who is there",
    "PRIVMSG #room :text says something, PRIVMSG name :text says it to one person, who need not be online",
    "What you missed is shown when you come back",
    "HELP COMMANDS lists all commands, HELP <command> tells of one",
];

/// What is said of a command: how it is written, then what it does.
const SUBJECTS: &[(&str, &[&str])] = &[
    ("PRIVMSG", &["PRIVMSG <#room or name>[,...] :<text>", "Says something in a room or to a person; it is kept."]),
    ("NOTICE", &["NOTICE <#room or name>[,...] :<text>", "As PRIVMSG, but nothing answers by itself: for programs."]),
    ("JOIN", &["JOIN <#room>[,...] [key]", "Enters a room, or makes it; you are a member until you PART."]),
    ("PART", &["PART <#room>[,...] [:reason]", "Leaves a room for good; to be away for a while, just disconnect."]),
    ("TOPIC", &["TOPIC <#room> [:text]", "Shows or changes the topic of a room."]),
    ("NAMES", &["NAMES <#room>", "Shows who is in a room now."]),
    ("LIST", &["LIST [#room,...]", "Shows the rooms."]),
    ("KICK", &["KICK <#room> <name> [:reason]", "Takes somebody out of a room; for its operators."]),
    ("INVITE", &["INVITE <name> <#room>", "Lets somebody into a room."]),
    ("MODE", &["MODE <#room> [+-letters [words]], MODE <your name> [+-iwo]", "Shows or changes modes."]),
    ("WHO", &["WHO [#room, name or mask] [o][%fields[,token]]", "Shows people."]),
    ("WHOIS", &["WHOIS <name>", "Shows all about a person who is online."]),
    ("WHOWAS", &["WHOWAS <name>", "Shows when somebody was here last."]),
    ("AWAY", &["AWAY [:text]", "Says that you are away, or, without a text, back."]),
    ("SETNAME", &["SETNAME :<name>", "Changes the name that people see beside your nick."]),
    ("NICK", &["NICK <name>", "Your nick is your account's name and stays so; see SETNAME."]),
    ("MONITOR", &["MONITOR + or - <name>[,...], or C, L, S", "Tells you when people come and go."]),
    ("OPER", &["OPER <account> <password>", "Gives this session the powers of an administrator."]),
    ("KILL", &["KILL <name> [:reason]", "Ends somebody's sessions; for administrators."]),
    ("WALLOPS", &["WALLOPS :<text>", "Tells everybody who wants to hear it (MODE +w); for administrators."]),
    ("REHASH", &["REHASH", "Has the configuration read anew; for administrators."]),
    ("QUIT", &["QUIT [:reason]", "Ends this session; you stay a member of your rooms."]),
];

impl Session {
    /// `HELP [subject]`
    pub(super) fn help(&mut self, message: &Message<'_>) {
        let Some(subject) = message.param(0) else {
            self.help_lines("*", START);
            return;
        };
        let shown = clean(subject).to_ascii_uppercase();
        if let Some((_, lines)) = SUBJECTS.iter().find(|(name, _)| *name == shown) {
            self.help_lines(&shown, lines);
        } else if shown == "COMMANDS" {
            let names: Vec<&str> = Row::names().collect();
            let lines: Vec<String> = names.chunks(12).map(|names| names.join(" ")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            self.help_lines(&shown, &lines);
        } else if Row::names().any(|name| name == shown) {
            self.help_lines(&shown, &["This server knows the command; clients use it by themselves."]);
        } else {
            self.numeric(ERR_HELPNOTFOUND, &[&clean(subject)], "There is no help on this; HELP COMMANDS lists all");
        }
    }

    fn help_lines(&mut self, subject: &str, lines: &[&str]) {
        for (at, line) in lines.iter().enumerate() {
            let code = if at == 0 { RPL_HELPSTART } else { RPL_HELPTXT };
            self.numeric(code, &[subject], line);
        }
        self.numeric(RPL_ENDOFHELP, &[subject], "End of HELP");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_is_a_command() {
        for (name, lines) in SUBJECTS {
            assert!(Row::names().any(|known| known == *name) && !lines.is_empty(), "{name}");
        }
    }
}
