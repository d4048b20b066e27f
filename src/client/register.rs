//! How a newcomer gets an account: `draft/account-registration` before the login, as a machine that is fed messages and
//! says what to send. Pure. Promises that the password leaves it only in a REGISTER line, and only where the server has
//! said that it takes one.

use zeroize::Zeroizing;

use super::text::clean;
use crate::proto::line::{BODY_MAX, Line, Message};

const CAP: &str = "draft/account-registration";
/// More than any server offers; what comes beyond is not looked at.
const OFFER_MAX: usize = 16 * 1024;

pub struct Newcomer {
    name: String,
    password: Zeroizing<String>,
    offered: String,
}

/// What a message made of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Going,
    /// The server wants a code, and says why; to be answered by [`Newcomer::verify`].
    Code(String),
    /// The account is made, under this name.
    Made(String),
    Failed(String),
}

impl Newcomer {
    pub fn new(name: String, password: Zeroizing<String>) -> Newcomer {
        Newcomer { name, password, offered: String::new() }
    }

    /// The first lines.
    pub fn start(&self) -> Vec<Line> {
        vec![Line::new().command("CAP").param("LS").param("302"), Line::new().command("NICK").param(&self.name)]
    }

    pub fn verify(&self, code: &str) -> Line {
        Line::new().command("VERIFY").param(&self.name).last(code)
    }

    pub fn hear(&mut self, message: &Message, out: &mut Vec<Line>) -> Step {
        let last = message.params.last().map(|text| clean(text)).unwrap_or_default();
        match (message.command.to_ascii_uppercase().as_str(), message.param(0).unwrap_or_default()) {
            ("PING", token) => out.push(Line::new().command("PONG").last(token)),
            ("CAP", _) => return self.hear_cap(message, out),
            ("REGISTER" | "VERIFY", "SUCCESS") => {
                return Step::Made(clean(message.param(1).unwrap_or(&self.name)));
            }
            ("REGISTER", "VERIFICATION_REQUIRED") => return Step::Code(last),
            ("FAIL", "VERIFY") if message.param(1) == Some("INVALID_CODE") => return Step::Code(last),
            ("FAIL" | "ERROR" | "461" | "432" | "433" | "436" | "437" | "421" | "451" | "417", _) => {
                return Step::Failed(last);
            }
            _ => {}
        }
        Step::Going
    }

    fn hear_cap(&mut self, message: &Message, out: &mut Vec<Line>) -> Step {
        let list = message.params.last().copied().unwrap_or_default();
        match message.param(1).unwrap_or_default().to_ascii_uppercase().as_str() {
            "LS" => {
                if self.offered.len() < OFFER_MAX {
                    self.offered.push(' ');
                    self.offered.push_str(list);
                }
                if message.params.len() > 3 && message.param(2) == Some("*") {
                    return Step::Going;
                }
                let found = self.offered.split_ascii_whitespace().find_map(|cap| match cap.split_once('=') {
                    Some((CAP, value)) => Some(value),
                    None if cap == CAP => Some(""),
                    _ => None,
                });
                match found {
                    Some(value) if value.split(',').any(|key| key == "before-connect") => {
                        out.push(Line::new().command("CAP").param("REQ").last(CAP));
                        Step::Going
                    }
                    _ => Step::Failed(
                        "nobody can make an account on this server from a client: ask who runs it for one".to_owned(),
                    ),
                }
            }
            "ACK" => {
                let register = Line::new().command("REGISTER").param("*").param("*").last(&self.password);
                if register.as_str().len() > BODY_MAX - 2 {
                    return Step::Failed("the password is too long to be sent in one line".to_owned());
                }
                out.push(register);
                Step::Going
            }
            "NAK" => Step::Failed("the server takes its offer back; try again later".to_owned()),
            _ => Step::Going,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Dialogue(Newcomer);

    impl Dialogue {
        fn new() -> Dialogue {
            Dialogue(Newcomer::new("erin".into(), Zeroizing::new("long password".into())))
        }

        fn hear(&mut self, line: &str) -> (Step, Vec<String>) {
            let mut out = Vec::new();
            let step = self.0.hear(&Message::parse(line).unwrap(), &mut out);
            (step, out.into_iter().map(Line::into_string).collect())
        }
    }

    fn says(lines: &[&str]) -> (Step, Vec<String>) {
        (Step::Going, lines.iter().map(|line| line.to_string()).collect())
    }

    #[test]
    fn a_newcomer_with_a_code() {
        let mut d = Dialogue::new();
        assert_eq!(d.hear(":s CAP * LS * :sasl=PLAIN batch"), says(&[]));
        assert_eq!(
            d.hear(":s CAP * LS :draft/account-registration=before-connect,x=1"),
            says(&["CAP REQ :draft/account-registration"])
        );
        assert_eq!(d.hear("PING :x"), says(&["PONG :x"]));
        assert_eq!(d.hear(":s CAP erin ACK :draft/account-registration"), says(&["REGISTER * * :long password"]));
        assert_eq!(
            d.hear(":s REGISTER VERIFICATION_REQUIRED erin :the code, please").0,
            Step::Code("the code, please".into())
        );
        assert_eq!(d.0.verify("abc").into_string(), "VERIFY erin :abc");
        assert_eq!(d.hear(":s FAIL VERIFY INVALID_CODE erin :no").0, Step::Code("no".into()));
        assert_eq!(d.hear(":s VERIFY SUCCESS erin :done").0, Step::Made("erin".into()));
    }

    #[test]
    fn no_password_goes_where_it_is_not_wanted() {
        for offer in ["sasl=PLAIN", "draft/account-registration", "draft/account-registration=email-required"] {
            let mut d = Dialogue::new();
            let (step, out) = d.hear(&format!(":s CAP * LS :{offer}"));
            assert!(matches!(step, Step::Failed(_)) && out.is_empty(), "{offer}");
        }
        let mut d = Dialogue::new();
        assert_eq!(d.hear(":s FAIL REGISTER ACCOUNT_EXISTS erin :taken").0, Step::Failed("taken".into()));
    }
}
