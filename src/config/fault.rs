//! What can be wrong with a configuration, as sentences with a place.

use std::fmt;

/// One thing to put right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `config.toml:12`, or the environment variable.
    pub place: String,
    /// `table.key`, if it is about one.
    pub key: Option<String>,
    /// What is wrong and what to write instead.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}: {key}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

/// All that is wrong with a configuration, one line each. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFaults(Vec<Fault>);

impl ConfigFaults {
    pub fn list(&self) -> &[Fault] {
        &self.0
    }

    pub(super) fn one(fault: Fault) -> ConfigFaults {
        ConfigFaults(vec![fault])
    }

    /// `Err` unless the list is empty.
    pub(super) fn check(faults: Vec<Fault>) -> Result<(), ConfigFaults> {
        if faults.is_empty() { Ok(()) } else { Err(ConfigFaults(faults)) }
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [_] => write!(f, "the configuration has a fault:")?,
            faults => write!(f, "the configuration has {} faults:", faults.len())?,
        }
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

impl std::error::Error for ConfigFaults {}
