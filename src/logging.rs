//! The log: lines for the administrator on stderr, as text or JSON, by `tracing`.
//!
//! Knows nobody. The rule for all who log: never the text of a message, never a password or a hash, and whatever
//! came from a peer only as a quoted field (`?name`), so that it cannot forge a line. The level can be changed while
//! running; the format cannot.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One object a line: `timestamp`, `level`, `target`, `fields`.
    Json,
}

#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("log.level {0}")]
    Level(String),
    #[error("the log was started twice; this is a fault of the program")]
    Twice,
}

/// A handle to the running log, to change its level.
pub struct Logging {
    filter: reload::Handle<EnvFilter, tracing_subscriber::Registry>,
}

/// Starts the log for the whole process.
pub fn init(level: &str, format: Format) -> Result<Logging, LoggingError> {
    let (filter, handle) = reload::Layer::new(parse_level(level).map_err(LoggingError::Level)?);
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        Format::Text => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
                    .with_target(false),
            )
            .try_init(),
        Format::Json => registry.with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr)).try_init(),
    };
    started.map_err(|_| LoggingError::Twice)?;
    Ok(Logging { filter: handle })
}

impl Logging {
    /// Takes a new level; with a bad one the old stays.
    pub fn set_level(&self, level: &str) -> Result<(), LoggingError> {
        let filter = parse_level(level).map_err(LoggingError::Level)?;
        self.filter.reload(filter).map_err(|error| LoggingError::Level(error.to_string()))
    }
}

/// Whether [`init`] would take this level; else what to write.
pub fn check_level(level: &str) -> Result<(), String> {
    parse_level(level).map(drop)
}

fn parse_level(level: &str) -> Result<EnvFilter, String> {
    let advice = "write error, warn, info, debug or trace, or per part, such as \"info,chatd::net=debug\"";
    // The filter takes any word for the name of a part, so `inof` would silence the log without a complaint.
    let known = |word: &str| {
        ["off", "error", "warn", "info", "debug", "trace"].contains(&word.trim().to_ascii_lowercase().as_str())
    };
    if !level.split(',').any(|directive| known(directive.rsplit('=').next().unwrap_or_default())) {
        return Err(format!("{level:?} names no level; {advice}"));
    }
    EnvFilter::try_new(level).map_err(|error| format!("{level:?} is not a level ({error}); {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels() {
        for good in ["info", "warn", "off", "INFO", "info,chatd::net=debug", "chatd=trace"] {
            assert_eq!(check_level(good), Ok(()), "{good}");
        }
        for bad in ["", "inof", "info,chatd=loud", "5 kittens"] {
            assert!(check_level(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_level_changes_while_running() {
        let (layer, handle) = reload::Layer::new(parse_level("warn").unwrap());
        let logging = Logging { filter: handle };
        let _guard = tracing_subscriber::registry().with(layer).set_default();
        assert!(!tracing::enabled!(tracing::Level::INFO));
        logging.set_level("info").unwrap();
        assert!(tracing::enabled!(tracing::Level::INFO));
        assert!(logging.set_level("inof").is_err());
        assert!(tracing::enabled!(tracing::Level::INFO), "a bad level leaves the old one");
    }
}
