//! The numeric replies by name. Pure, knows nobody.
//!
//! The line after each number shows the parameters that follow the client's nick, the last one being a text for
//! people. Source of names and numbers: <https://modern.ircdocs.horse/#numerics> and the IRCv3 specifications.

macro_rules! numerics {
    ($($name:ident $code:literal $params:literal;)*) => {
        $(#[doc = concat!("`", $params, "`")] pub const $name: &str = $code;)*

        /// Every numeric: its name, its number, its parameters.
        pub const TABLE: &[(&str, &str, &str)] = &[$((stringify!($name), $code, $params),)*];
    };
}

numerics! {
    // Registration
    RPL_WELCOME             "001" ":Welcome to the <network> network, <nick>";
    RPL_YOURHOST            "002" ":Your host is <server>, running version <version>";
    RPL_CREATED             "003" ":This server was started <time>";
    RPL_MYINFO              "004" "<server> <version> <user modes> <channel modes> [<channel modes with a parameter>]";
    RPL_ISUPPORT            "005" "<1-13 tokens> :are supported by this server";
    RPL_BOUNCE              "010" "<host> <port> :<info>";

    // The server and the person
    RPL_STATSCOMMANDS       "212" "<command> <count> [<bytes> <remote count>]";
    RPL_ENDOFSTATS          "219" "<letter> :End of /STATS report";
    RPL_UMODEIS             "221" "<user modes>";
    RPL_STATSUPTIME         "242" ":Server up <n> days <h>:<m>:<s>";
    RPL_STATSOLINE          "243" "O <mask> * <name>";
    RPL_LUSERCLIENT         "251" ":There are <n> users and <n> invisible on 1 server";
    RPL_LUSEROP             "252" "<n> :operators online";
    RPL_LUSERUNKNOWN        "253" "<n> :unknown connections";
    RPL_LUSERCHANNELS       "254" "<n> :channels formed";
    RPL_LUSERME             "255" ":I have <n> clients and 0 servers";
    RPL_ADMINME             "256" "[<server>] :Administrative info";
    RPL_ADMINLOC1           "257" ":<info>";
    RPL_ADMINLOC2           "258" ":<info>";
    RPL_ADMINEMAIL          "259" ":<address>";
    RPL_TRACEEND            "262" "<server> <version> :End of TRACE";
    RPL_TRYAGAIN            "263" "<command> :Please wait a while and try again";
    RPL_LOCALUSERS          "265" "<now> <most> :Current local users <now>, max <most>";
    RPL_GLOBALUSERS         "266" "<now> <most> :Current global users <now>, max <most>";
    RPL_WHOISCERTFP         "276" "<nick> :has client certificate fingerprint <fingerprint>";
    RPL_NONE                "300" ":<anything>";
    RPL_AWAY                "301" "<nick> :<away message>";
    RPL_USERHOST            "302" ":<nick>[*]=<+|-><user>@<host> ...";
    RPL_ISON                "303" ":<nick> ...";
    RPL_UNAWAY              "305" ":You are no longer marked as being away";
    RPL_NOWAWAY             "306" ":You have been marked as being away";

    // Whois, who, whowas
    RPL_WHOISREGNICK        "307" "<nick> :has identified for this nick";
    RPL_WHOISUSER           "311" "<nick> <user> <host> * :<realname>";
    RPL_WHOISSERVER         "312" "<nick> <server> :<server info>";
    RPL_WHOISOPERATOR       "313" "<nick> :is an administrator";
    RPL_WHOWASUSER          "314" "<nick> <user> <host> * :<realname>";
    RPL_ENDOFWHO            "315" "<mask> :End of /WHO list";
    RPL_WHOISIDLE           "317" "<nick> <seconds> [<signon, Unix time>] :seconds idle, signon time";
    RPL_ENDOFWHOIS          "318" "<nick> :End of /WHOIS list";
    RPL_WHOISCHANNELS       "319" "<nick> :[<prefix>]<channel> ...";
    RPL_WHOISSPECIAL        "320" "<nick> :<anything>";
    RPL_WHOISACCOUNT        "330" "<nick> <account> :is logged in as";
    RPL_WHOISBOT            "335" "<nick> :is a bot";
    RPL_WHOISACTUALLY       "338" "<nick> [<host>|<address>] :is actually using host";
    RPL_WHOREPLY            "352" "<channel> <user> <host> <server> <nick> <flags> :0 <realname>";
    RPL_WHOSPCRPL           "354" "<the fields that were asked for>";
    RPL_ENDOFWHOWAS         "369" "<nick> :End of WHOWAS";
    RPL_WHOISHOST           "378" "<nick> :is connecting from <user>@<host> <address>";
    RPL_WHOISMODES          "379" "<nick> :is using modes <modes>";
    RPL_WHOISSECURE         "671" "<nick> :is using a secure connection";

    // Rooms
    RPL_LISTSTART           "321" "Channel :Users  Name";
    RPL_LIST                "322" "<channel> <members> :<topic>";
    RPL_LISTEND             "323" ":End of /LIST";
    RPL_CHANNELMODEIS       "324" "<channel> <modes> <parameters>...";
    RPL_CREATIONTIME        "329" "<channel> <Unix time>";
    RPL_NOTOPIC             "331" "<channel> :No topic is set";
    RPL_TOPIC               "332" "<channel> :<topic>";
    RPL_TOPICWHOTIME        "333" "<channel> <nick> <Unix time>";
    RPL_INVITELIST          "336" "<channel>";
    RPL_ENDOFINVITELIST     "337" ":End of /INVITE list";
    RPL_INVITING            "341" "<nick> <channel>";
    RPL_INVEXLIST           "346" "<channel> <mask> [<who> <Unix time>]";
    RPL_ENDOFINVEXLIST      "347" "<channel> :End of channel invite exception list";
    RPL_EXCEPTLIST          "348" "<channel> <mask> [<who> <Unix time>]";
    RPL_ENDOFEXCEPTLIST     "349" "<channel> :End of channel exception list";
    RPL_NAMREPLY            "353" "<=|@|*> <channel> :[<prefix>]<nick> ...";
    RPL_ENDOFNAMES          "366" "<channel> :End of /NAMES list";
    RPL_LINKS               "364" "<server> <server> :0 <info>";
    RPL_ENDOFLINKS          "365" "* :End of /LINKS list";
    RPL_BANLIST             "367" "<channel> <mask> [<who> <Unix time>]";
    RPL_ENDOFBANLIST        "368" "<channel> :End of channel ban list";
    RPL_QUIETLIST           "728" "<channel> q <mask> [<who> <Unix time>]";
    RPL_ENDOFQUIETLIST      "729" "<channel> q :End of channel quiet list";

    // What the server says about itself
    RPL_VERSION             "351" "<version> <server> :<comments>";
    RPL_INFO                "371" ":<text>";
    RPL_MOTD                "372" ":<line>";
    RPL_ENDOFINFO           "374" ":End of INFO list";
    RPL_MOTDSTART           "375" ":- <server> Message of the day -";
    RPL_ENDOFMOTD           "376" ":End of /MOTD command";
    RPL_YOUREOPER           "381" ":You are now an administrator here";
    RPL_REHASHING           "382" "<file> :Rehashing";
    RPL_TIME                "391" "<server> [<Unix time> <offset>] :<time>";
    RPL_HELPSTART           "704" "<subject> :<first line>";
    RPL_HELPTXT             "705" "<subject> :<line>";
    RPL_ENDOFHELP           "706" "<subject> :<last line>";

    // Refusals
    ERR_UNKNOWNERROR        "400" "<command> :<what went wrong>";
    ERR_NOSUCHNICK          "401" "<nick> :No such nick/channel";
    ERR_NOSUCHSERVER        "402" "<server> :No such server";
    ERR_NOSUCHCHANNEL       "403" "<channel> :No such channel";
    ERR_CANNOTSENDTOCHAN    "404" "<channel> :Cannot send to channel";
    ERR_TOOMANYCHANNELS     "405" "<channel> :You have joined too many channels";
    ERR_WASNOSUCHNICK       "406" "<nick> :There was no such nickname";
    ERR_TOOMANYTARGETS      "407" "<target> :Too many targets";
    ERR_NOORIGIN            "409" ":No origin specified";
    ERR_INVALIDCAPCMD       "410" "<subcommand> :Invalid CAP command";
    ERR_NORECIPIENT         "411" ":No recipient given (<command>)";
    ERR_NOTEXTTOSEND        "412" ":No text to send";
    ERR_INPUTTOOLONG        "417" ":Input line was too long";
    ERR_UNKNOWNCOMMAND      "421" "<command> :Unknown command";
    ERR_NOMOTD              "422" ":There is no message of the day";
    ERR_NONICKNAMEGIVEN     "431" ":No nickname given";
    ERR_ERRONEUSNICKNAME    "432" "<nick> :Erroneous nickname";
    ERR_NICKNAMEINUSE       "433" "<nick> :Nickname is already in use";
    ERR_USERNOTINCHANNEL    "441" "<nick> <channel> :They aren't on that channel";
    ERR_NOTONCHANNEL        "442" "<channel> :You're not on that channel";
    ERR_USERONCHANNEL       "443" "<nick> <channel> :is already on channel";
    ERR_SUMMONDISABLED      "445" ":SUMMON has been disabled";
    ERR_USERSDISABLED       "446" ":USERS has been disabled";
    ERR_NONICKCHANGE        "447" "<nick> :Your nick is your account's name";
    ERR_FORBIDDENCHANNEL    "448" "<channel> :Cannot join channel";
    ERR_NOTREGISTERED       "451" ":You have not registered";
    ERR_NEEDMOREPARAMS      "461" "<command> :Not enough parameters";
    ERR_ALREADYREGISTERED   "462" ":You may not reregister";
    ERR_PASSWDMISMATCH      "464" ":Password incorrect";
    ERR_YOUREBANNEDCREEP    "465" ":You are banned from this server";
    ERR_CHANNELISFULL       "471" "<channel> :Cannot join channel (+l)";
    ERR_UNKNOWNMODE         "472" "<letter> :is unknown mode char to me";
    ERR_INVITEONLYCHAN      "473" "<channel> :Cannot join channel (+i)";
    ERR_BANNEDFROMCHAN      "474" "<channel> :Cannot join channel (+b)";
    ERR_BADCHANNELKEY       "475" "<channel> :Cannot join channel (+k)";
    ERR_BADCHANMASK         "476" "<channel> :Bad channel mask";
    ERR_BANLISTFULL         "478" "<channel> <letter> :Channel list is full";
    ERR_BADCHANNAME         "479" "<channel> :Illegal channel name";
    ERR_NOPRIVILEGES        "481" ":Permission denied: you are not an administrator";
    ERR_CHANOPRIVSNEEDED    "482" "<channel> :You're not channel operator";
    ERR_CANTKILLSERVER      "483" ":You can't kill a server";
    ERR_NOOPERHOST          "491" ":No O-lines for your host";
    ERR_UMODEUNKNOWNFLAG    "501" ":Unknown mode flag";
    ERR_USERSDONTMATCH      "502" ":Can't change mode for other users";
    ERR_HELPNOTFOUND        "524" "<subject> :No help available on this topic";
    ERR_INVALIDKEY          "525" "<channel> :Key is not well-formed";
    ERR_INVALIDMODEPARAM    "696" "<channel|nick> <letter> <parameter> :<what is wrong with it>";
    ERR_NOPRIVS             "723" "<privilege> :Insufficient privileges";

    // MONITOR
    RPL_MONONLINE           "730" ":<nick>[!<user>@<host>],...";
    RPL_MONOFFLINE          "731" ":<nick>,...";
    RPL_MONLIST             "732" ":<nick>,...";
    RPL_ENDOFMONLIST        "733" ":End of MONITOR list";
    ERR_MONLISTFULL         "734" "<limit> <nicks> :Monitor list is full";

    // Metadata
    RPL_WHOISKEYVALUE       "760" "<nick> <key> <visibility> :<value>";
    RPL_KEYVALUE            "761" "<target> <key> <visibility> :<value>";
    RPL_KEYNOTSET           "766" "<target> <key> :Key not set";
    RPL_METADATASUBOK       "770" "<key> ...";
    RPL_METADATAUNSUBOK     "771" "<key> ...";
    RPL_METADATASUBS        "772" "<key> ...";
    RPL_METADATASYNCLATER   "774" "<target> <seconds> :Ask for it later";

    // Logging in
    RPL_LOGGEDIN            "900" "<nick>!<user>@<host> <account> :You are now logged in as <account>";
    RPL_LOGGEDOUT           "901" "<nick>!<user>@<host> :You are now logged out";
    ERR_NICKLOCKED          "902" ":You must use the nick assigned to you";
    RPL_SASLSUCCESS         "903" ":SASL authentication successful";
    ERR_SASLFAIL            "904" ":SASL authentication failed";
    ERR_SASLTOOLONG         "905" ":SASL message too long";
    ERR_SASLABORTED         "906" ":SASL authentication aborted";
    ERR_SASLALREADY         "907" ":You have already authenticated using SASL";
    RPL_SASLMECHS           "908" "<mechanisms> :are available SASL mechanisms";
}

/// The name of a numeric, for logs and tests.
pub fn name_of(code: &str) -> Option<&'static str> {
    TABLE.iter().find(|(_, known, _)| *known == code).map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_three_digits_and_one_name() {
        let mut codes: Vec<&str> = TABLE.iter().map(|(_, code, _)| *code).collect();
        assert!(codes.iter().all(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit())));
        codes.sort_unstable();
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(name_of(RPL_WELCOME), Some("RPL_WELCOME"));
        assert_eq!(name_of("999"), None);
    }
}
