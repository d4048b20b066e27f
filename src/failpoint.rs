//! Failpoints: steps at which a test makes the program die, or an operation fail as on a broken disk, at a moment of its
//! choice. Only in debug builds, and only where `CHATD_FAILPOINTS` names a file: as long as that file says `commit die` or
//! `commit fail`, that is what happens at the step. A release has nothing of it.

/// Every step there is. Tests walk through all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A transaction is about to begin.
    Begin,
    /// An event is about to be written,
    Event,
    /// and then its places in the logs of rooms,
    Place,
    /// and the tables that mirror the log.
    Mirror,
    /// A message is about to be blanked; its words are out of the index already.
    Redact,
    /// Something old has been taken out of a log.
    Prune,
    /// An order has been carried out and is about to be answered.
    Order,
    /// All of a transaction is written, and about to be committed,
    Commit,
    /// or has just been.
    Committed,
    /// What was committed is about to be shown,
    Publish,
    /// or has just been.
    Published,
    /// The write-ahead log is about to be emptied,
    Checkpoint,
    /// or has just been.
    Checkpointed,
    /// Words are in the index, and it does not say so yet.
    Index,
    /// All steps of an upgrade are written, and about to be committed.
    Migrate,
}

impl Step {
    pub const ALL: [Step; 15] = [
        Step::Begin,
        Step::Event,
        Step::Place,
        Step::Mirror,
        Step::Redact,
        Step::Prune,
        Step::Order,
        Step::Commit,
        Step::Committed,
        Step::Publish,
        Step::Published,
        Step::Checkpoint,
        Step::Checkpointed,
        Step::Index,
        Step::Migrate,
    ];

    /// As the file names it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether the step can fail, and not only be the last that happens: what is done is done.
    pub fn can_fail(self) -> bool {
        !matches!(self, Step::Committed | Step::Publish | Step::Published | Step::Checkpointed)
    }
}

/// A step has been made to fail.
#[derive(Debug, thiserror::Error)]
#[error("a failpoint says so")]
pub struct Injected;

#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn reached(_step: Step) -> Result<(), Injected> {
    Ok(())
}

#[cfg(debug_assertions)]
pub fn reached(step: Step) -> Result<(), Injected> {
    use std::path::PathBuf;
    use std::sync::LazyLock;

    static ORDERS: LazyLock<Option<PathBuf>> =
        LazyLock::new(|| std::env::var_os("CHATD_FAILPOINTS").map(PathBuf::from));
    let Some(orders) = &*ORDERS else { return Ok(()) };
    let Ok(order) = std::fs::read_to_string(orders) else { return Ok(()) };
    let mut words = order.split_whitespace();
    match (words.next(), words.next()) {
        (Some(name), Some("die")) if name == step.name() => std::process::abort(),
        (Some(name), Some("fail")) if name == step.name() && step.can_fail() => Err(Injected),
        _ => Ok(()),
    }
}
