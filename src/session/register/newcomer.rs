//! REGISTER and VERIFY: a newcomer makes an account, where the configuration allows it
//! (<https://ircv3.net/specs/extensions/account-registration>). Where it takes an invitation, REGISTER asks for
//! verification and the invitation's code is what VERIFY takes. Nothing is stored before that: what waits for its code
//! is the connection's own, and ends with it.

use std::time::{Duration, Instant};

use crate::auth::{Password, PasswordError, Secret, invitation_hash};
use crate::log::{HashText, Intent, Proof};
use crate::proto::line::{Line, Message};
use crate::proto::names::AccountName;

use super::super::Newcomers;
use super::super::rooms::clean;
use super::sasl::{attempt, unreadable};
use super::{Login, Next, Registration};

/// How long a newcomer has for looking up the code; the connection lasts as long.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// An account that only lacks its code.
pub(super) struct Pending {
    name: AccountName,
    hash: HashText,
    pub until: Instant,
}

/// Why not: the code of the standard reply, and words for a person.
type Failure = (&'static str, String);

impl Registration<'_> {
    /// `REGISTER <account> <email> <password>`. No mail is ever sent, so no address is kept.
    pub(super) async fn register(&mut self, message: &Message<'_>) -> Next {
        let (asked, password) = (message.params[0], Secret::new(message.params[2].to_owned()));
        let account = if asked == "*" { self.shown_nick() } else { clean(asked) };
        let done = match self.wanted(asked) {
            Ok(name) => self.make(&name, password).await,
            Err(failure) => Err(failure),
        };
        match done {
            Ok(true) => self.success("REGISTER"),
            Ok(false) => {
                let text = "Send the code of your invitation to finish: VERIFY <account> <code>";
                let line = Line::new().source(&self.ctx.info.name).command("REGISTER").param("VERIFICATION_REQUIRED");
                self.out.push(line.param(&account).last(text).into_string());
                Next::GoOn
            }
            Err((code, text)) => self.fail("REGISTER", code, &account, &text),
        }
    }

    /// `VERIFY <account> <code>`
    pub(super) async fn verify(&mut self, message: &Message<'_>) -> Next {
        let (account, code) = (clean(message.params[0]), Secret::new(message.params[1].to_owned()));
        if let Err((code, text)) = self.allowed() {
            return self.fail("VERIFY", code, &account, &text);
        }
        let key = AccountName::parse(message.params[0]).ok().map(|name| name.key().to_owned());
        let Some(pending) = self.pending.take_if(|pending| key.as_deref() == Some(pending.name.key())) else {
            return self.fail("VERIFY", "INVALID_CODE", &account, "Nothing waits for a code here: REGISTER first");
        };
        match self.redeem(&pending, &code).await {
            Ok(()) => self.success("VERIFY"),
            Err((code, text)) => {
                self.pending = Some(pending);
                self.fail("VERIFY", code, &account, &text);
                if code == "INVALID_CODE" { self.failed() } else { Next::GoOn }
            }
        }
    }

    /// Whether somebody waits for the code at the moment.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| Instant::now() < pending.until)
    }

    fn allowed(&self) -> Result<Newcomers, Failure> {
        if let Some(login) = &self.account {
            return Err(("ALREADY_AUTHENTICATED", format!("You are logged in as {}", login.row.name)));
        }
        match self.ctx.settings.load().newcomers {
            Newcomers::Closed => {
                Err(("TEMPORARILY_UNAVAILABLE", "Accounts are made by those who run this server: ask them".to_owned()))
            }
            open => Ok(open),
        }
    }

    /// The name of the account, which is also the nick.
    fn wanted(&self, asked: &str) -> Result<AccountName, Failure> {
        self.allowed()?;
        let Some(nick) = &self.nick else {
            return Err(("NEED_NICK", "Say first what you want to be called: NICK <name>".to_owned()));
        };
        let asked = if asked == "*" { nick } else { asked };
        let name = AccountName::parse(asked).map_err(|error| ("BAD_ACCOUNT_NAME", error.to_string()))?;
        match AccountName::parse(nick) {
            Ok(nick) if nick.key() == name.key() => Ok(name),
            _ => Err(("ACCOUNT_NAME_MUST_BE_NICK", "Here the nick is the account's name: use NICK first".to_owned())),
        }
    }

    /// `true`: the account is made. `false`: it waits for its code.
    async fn make(&mut self, name: &AccountName, password: Secret) -> Result<bool, Failure> {
        let newcomers = self.allowed()?;
        let password = Password::chosen(&password).map_err(|error| {
            let code = match error {
                PasswordError::Empty | PasswordError::TooShort => "WEAK_PASSWORD",
                PasswordError::TooLong | PasswordError::Unfit => "UNACCEPTABLE_PASSWORD",
            };
            (code, error.to_string())
        })?;
        self.is_free(name).await?;
        self.ctx.newcomers.take(self.peer.address, Instant::now()).map_err(|wait| {
            let wait = humantime::format_duration(Duration::from_secs(wait.as_secs() + 1));
            unavailable(format!("too many accounts were asked for from your address; try again in {wait}"))
        })?;
        let logins = self.ctx.logins.load_full();
        let hash =
            HashText(logins.hash(password, self.peer.address).await.map_err(|error| unavailable(error.to_string()))?);
        if newcomers == Newcomers::Invite {
            self.pending = Some(Pending { name: name.clone(), hash, until: Instant::now() + PATIENCE });
            return Ok(false);
        }
        self.store(name, hash, None).await?;
        Ok(true)
    }

    async fn redeem(&mut self, pending: &Pending, code: &Secret) -> Result<(), Failure> {
        if Instant::now() >= pending.until {
            return Err(("INVALID_CODE", "This took too long; REGISTER again".to_owned()));
        }
        let key = format!("invitation {}", pending.name.key());
        let attempt = attempt(self.ctx, self.peer.address, &key).map_err(unavailable)?;
        let hash = invitation_hash(code);
        self.is_good(&hash).await?;
        self.ctx.throttle.succeeded(attempt);
        self.store(&pending.name, pending.hash.clone(), Some(hash)).await
    }

    async fn is_free(&self, name: &AccountName) -> Result<(), Failure> {
        let readers = self.ctx.log.readers();
        let cannot_read = |error| unavailable(unreadable(error));
        if readers.account(name.key().to_owned()).await.map_err(cannot_read)?.is_some() {
            return Err(("ACCOUNT_EXISTS", "This name is taken; choose another one".to_owned()));
        }
        match readers.account_like(name.skeleton().to_owned()).await.map_err(cannot_read)? {
            Some(_) => {
                Err(("BAD_ACCOUNT_NAME", "This name looks like another account's; choose another one".to_owned()))
            }
            None => Ok(()),
        }
    }

    async fn is_good(&self, hash: &str) -> Result<(), Failure> {
        let found = self.ctx.log.readers().invitation(hash.to_owned()).await;
        match found.map_err(|error| unavailable(unreadable(error)))? {
            Some(row) if row.is_good((self.ctx.clock)()) => Ok(()),
            _ => Err(("INVALID_CODE", "This code is not valid, or no longer; ask for another one".to_owned())),
        }
    }

    /// Makes the account, and the client is logged in to it.
    async fn store(&mut self, name: &AccountName, hash: HashText, invitation: Option<String>) -> Result<(), Failure> {
        let intent = Intent::Register { name: name.shared(), hash: hash.clone(), invitation: invitation.clone() };
        if let Err(refusal) = self.ctx.log.ask(intent).await {
            // Somebody was faster, most likely: then the same questions have other answers now.
            self.is_free(name).await?;
            if let Some(hash) = &invitation {
                self.is_good(hash).await?;
            }
            return Err(unavailable(refusal.to_string()));
        }
        let row = self.ctx.log.readers().account(name.key().to_owned()).await;
        let row = row.map_err(|error| unavailable(unreadable(error)))?;
        let row = row.ok_or_else(|| unavailable("the account has just been removed"))?;
        let by = invitation.as_deref().and_then(|hash| hash.get(..8)).unwrap_or("none");
        tracing::info!(account = %row.name, peer = %self.peer.address, invitation = by, "account registered");
        self.account = Some(Login { row, proof: Proof::Password(hash.0.as_str().into()), rehashed: None });
        Ok(())
    }

    /// Tells of the account and, as after SASL, of the login.
    fn success(&mut self, command: &str) -> Next {
        let Some(login) = self.account.take() else { return Next::GoOn };
        let line = Line::new().source(&self.ctx.info.name).command(command).param("SUCCESS").param(&login.row.name);
        self.out.push(line.last("Your account is made, and you are logged in").into_string());
        self.pending = None;
        self.logged_in(login);
        Next::GoOn
    }

    fn fail(&mut self, command: &str, code: &str, account: &str, text: &str) -> Next {
        let line = Line::new().source(&self.ctx.info.name).command("FAIL").param(command).param(code);
        let account = if code == "NEED_NICK" { "*" } else { account };
        self.out.push(line.param(account).last(text).into_string());
        Next::GoOn
    }
}

fn unavailable(why: impl Into<String>) -> Failure {
    ("TEMPORARILY_UNAVAILABLE", why.into())
}
