//! What an administrator orders, and how it gets done whether or not the server runs.
//!
//! A running server holds the data directory's lock and writes alone, so an order is left in the database for it, and
//! the answer is waited for. If nobody holds the lock, the order is carried out here, by the same code. Knows `store`
//! and the log's core.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
pub use crate::log::{Author, HashText, Order, OrderResult, parse_retention};
use crate::log::{Core, Posted};
use crate::store::{self, Holder, Lock, Reader, StoreError};

/// How long a running server may take to answer. It looks for orders several times a second.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Less often: whoever holds the lock for a moment could keep a starting server from it.
const TRY_LOCK_EVERY: Duration = Duration::from_millis(250);

/// What is left for a running server to ask for its figures, in place of an order.
pub const FIGURES_WANTED: &str = r#"{"ask":"figures"}"#;

/// Who carried an order out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    RunningServer,
    Ourselves,
}

/// An order that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub by: By,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Not possible, with the reason.
    #[error("{0}")]
    Refused(String),
    #[error(
        "the running server did not answer within {seconds} seconds; it will do this as soon as it can. Look at its log, \
         and check with `chatd user list` or `chatd room list`",
        seconds = PATIENCE.as_secs()
    )]
    NoAnswer,
    #[error("the running server's answer cannot be read; is it of the same version as this program?")]
    Answer,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has an order carried out, and waits until it has been.
pub fn submit(data_dir: &Path, order: &Order) -> Result<Done, AdminError> {
    let posted = Posted { order: order.clone(), by: author() };
    match Lock::take(data_dir) {
        Ok(lock) => ourselves(data_dir, posted, None, &lock),
        Err(StoreError::Locked { .. }) => by_the_server(data_dir, posted),
        Err(error) => Err(error.into()),
    }
}

/// Waits until everybody who is to be erased is: a running server does it, or we do. `told` hears how far it is, of a
/// hundred, now and then.
pub fn finish_erasures(data_dir: &Path, mut told: impl FnMut(u64)) -> Result<(), AdminError> {
    let reader = Reader::open(data_dir)?;
    let far = || -> Result<Option<u64>, StoreError> {
        let last = reader.next_event_id()?.0.max(1).unsigned_abs();
        Ok(reader.erasures()?.first().map(|erasure| erasure.through.0.max(0).unsigned_abs() * 100 / last))
    };
    while let Some(percent) = far()? {
        told(percent);
        match Lock::take(data_dir) {
            Ok(_lock) => Core::finish_erasures(data_dir, clock::now, || {
                if let Ok(Some(percent)) = far() {
                    told(percent);
                }
            })?,
            Err(StoreError::Locked { .. }) => thread::sleep(TRY_LOCK_EVERY),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Who runs this command, for the audit. Whoever may write to the database could say anything here; it is to help honest
/// people remember.
pub fn author() -> Author {
    let uid = fs::metadata("/proc/self").map(|own| own.uid());
    let name = uid.as_ref().ok().and_then(|uid| {
        let users = fs::read_to_string("/etc/passwd").ok()?;
        let mut users = users.lines().map(|line| line.split(':'));
        users.find_map(|mut user| {
            let name = user.next()?;
            (user.nth(1)?.parse() == Ok(*uid)).then(|| name.to_owned())
        })
    });
    let name = name.or_else(|| uid.ok().map(|uid| format!("user {uid}"))).unwrap_or_else(|| "somebody".to_owned());
    let who = match std::env::var("SUDO_USER") {
        Ok(behind) if behind != name && !behind.is_empty() => format!("{behind} (as {name})"),
        _ => name,
    };
    Author { who, place: "command line".to_owned() }
}

fn ourselves(data_dir: &Path, order: Posted, row: Option<i64>, _lock: &Lock) -> Result<Done, AdminError> {
    done(By::Ourselves, Core::execute(data_dir, clock::now, row, order)?)
}

fn by_the_server(data_dir: &Path, order: Posted) -> Result<Done, AdminError> {
    let body = serde_json::to_string(&order).map_err(|_| AdminError::Answer)?;
    match ask(data_dir, &body)? {
        Answer::Given(result) => done(By::RunningServer, result),
        Answer::Nobody { lock, row } => ourselves(data_dir, order, Some(row), &lock),
    }
}

/// The figures of the running server, in the form of its metrics (OpenMetrics); `None`: it does not run.
pub fn figures(data_dir: &Path) -> Result<Option<String>, AdminError> {
    if Lock::holder(data_dir)? == Holder::Nobody {
        return Ok(None);
    }
    match ask(data_dir, FIGURES_WANTED)? {
        Answer::Given(OrderResult { ok: true, message }) => Ok(Some(message)),
        Answer::Given(OrderResult { message, .. }) => Err(AdminError::Refused(message)),
        Answer::Nobody { .. } => Ok(None),
    }
}

/// What came of something that was left for a running server.
enum Answer {
    Given(OrderResult),
    /// Whoever held the lock has ended without reading it.
    Nobody {
        lock: Lock,
        row: i64,
    },
}

fn ask(data_dir: &Path, body: &str) -> Result<Answer, AdminError> {
    let deadline = Instant::now() + PATIENCE;
    let row = loop {
        match store::post_order(data_dir, body, clock::now()) {
            Ok(row) => break row,
            // A server that is just starting has the lock before it has made or upgraded the database.
            Err(StoreError::NotFound { .. } | StoreError::OlderSchema { .. } | StoreError::Busy)
                if Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        thread::sleep(ASK_EVERY);
    };
    let reader = Reader::open(data_dir)?;
    let mut tried = Instant::now();
    loop {
        if let Some(result) = reader.order_result(row)? {
            return serde_json::from_str(&result).map(Answer::Given).map_err(|_| AdminError::Answer);
        }
        if Instant::now() >= deadline {
            return Err(AdminError::NoAnswer);
        }
        // The lock's holder may end before it reads the order: it was a server that stopped, or a command like this.
        if tried.elapsed() >= TRY_LOCK_EVERY {
            tried = Instant::now();
            if let Ok(lock) = Lock::take(data_dir) {
                match reader.order_result(row)? {
                    Some(_) => continue,
                    None => return Ok(Answer::Nobody { lock, row }),
                }
            }
        }
        thread::sleep(ASK_EVERY);
    }
}

fn done(by: By, result: OrderResult) -> Result<Done, AdminError> {
    if result.ok { Ok(Done { by, message: result.message }) } else { Err(AdminError::Refused(result.message)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Writer;

    fn add(name: &str) -> Order {
        Order::AddUser { name: name.into(), hash: HashText("$argon2id$x".into()), admin: false, bot: true }
    }

    #[test]
    fn an_order_is_readable_and_its_debug_shows_no_hash() {
        let order = add("alice");
        let body = serde_json::to_string(&order).unwrap();
        assert_eq!(body, r#"{"order":"add_user","name":"alice","hash":"$argon2id$x","admin":false,"bot":true}"#);
        assert_eq!(serde_json::from_str::<Order>(&body).unwrap(), order);
        assert!(!format!("{order:?}").contains("argon2id"));
    }

    #[test]
    fn without_a_server_we_do_it_ourselves() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(submit(dir.path(), &add("alice")).unwrap().by, By::Ourselves);
        assert_eq!(&*Reader::open(dir.path()).unwrap().accounts().unwrap()[0].name, "alice");
        let refused = submit(dir.path(), &Order::Disable { name: "bob".into() }).unwrap_err();
        assert!(refused.to_string().contains("bob"), "{refused}");
        drop(Lock::take(dir.path()).unwrap());
    }

    #[test]
    fn a_running_server_is_asked_and_its_answer_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let place = dir.path().to_owned();
        let server = thread::spawn(move || {
            let _lock = lock;
            // The database comes a moment after the lock, as in a server that is starting.
            thread::sleep(ASK_EVERY * 2);
            let mut writer = Writer::open(&place).unwrap();
            let mut orders = Vec::new();
            while orders.len() < 2 {
                for (id, body) in writer.open_orders().unwrap() {
                    let ok = orders.is_empty();
                    orders.push(serde_json::from_str::<Posted>(&body).unwrap().order);
                    let result = OrderResult { ok, message: "as you say".into() };
                    let tx = writer.begin().unwrap();
                    tx.finish_order(id, &serde_json::to_string(&result).unwrap()).unwrap();
                    tx.commit().unwrap();
                }
                thread::sleep(ASK_EVERY);
            }
            orders
        });
        let done = submit(dir.path(), &add("alice")).unwrap();
        assert_eq!(done, Done { by: By::RunningServer, message: "as you say".into() });
        let refused = submit(dir.path(), &add("bob")).unwrap_err();
        assert!(matches!(refused, AdminError::Refused(reason) if reason == "as you say"));
        assert_eq!(server.join().unwrap(), [add("alice"), add("bob")]);
    }

    #[test]
    fn a_server_that_stops_before_it_reads_the_order_leaves_it_to_us() {
        let dir = tempfile::tempdir().unwrap();
        drop(Writer::open(dir.path()).unwrap());
        let lock = Lock::take(dir.path()).unwrap();
        let server = thread::spawn(move || {
            thread::sleep(ASK_EVERY * 4);
            drop(lock);
        });
        assert_eq!(submit(dir.path(), &add("alice")).unwrap().by, By::Ourselves);
        server.join().unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.accounts().unwrap().len(), 1);
        assert_eq!(reader.open_orders().unwrap(), [], "the next server does not do it again");
    }
}
