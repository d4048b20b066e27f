//! What an account or a room says about itself, in memory: the same as its rows, changed by the publisher after their
//! commit. Bounded: [`METADATA_KEYS_MAX`] keys, whose lengths the session checks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::event::KeyChange;

/// Keys of one account or room at most; more are refused.
pub const METADATA_KEYS_MAX: usize = 32;

type Keys = BTreeMap<Arc<str>, Arc<str>>;

/// Costs next to nothing while there is none, as it is with most.
#[derive(Default)]
pub struct Metadata {
    keys: RwLock<Option<Box<Keys>>>,
}

impl Metadata {
    pub fn get(&self, key: &str) -> Option<Arc<str>> {
        self.read().as_ref()?.get(key).cloned()
    }

    /// All keys with their values, in the order of the keys.
    pub fn all(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let keys = self.read();
        keys.iter().flat_map(|keys| keys.iter()).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.read().is_none()
    }

    pub fn apply(&self, changes: &[KeyChange]) {
        let mut slot = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let keys = slot.get_or_insert_default();
        for (key, value) in changes {
            match value {
                Some(value) => drop(keys.insert(key.clone(), value.clone())),
                None => drop(keys.remove(key)),
            }
        }
        if keys.is_empty() {
            *slot = None;
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Box<Keys>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_there_until_it_is_taken_away() {
        let metadata = Metadata::default();
        assert!(metadata.is_empty());
        metadata.apply(&[("b".into(), Some("2".into())), ("a".into(), Some("1".into()))]);
        metadata.apply(&[("b".into(), Some("3".into())), ("c".into(), None)]);
        assert_eq!(metadata.all(), [("a".into(), "1".into()), ("b".into(), "3".into())]);
        assert_eq!((metadata.get("b").as_deref(), metadata.get("c")), (Some("3"), None));
        metadata.apply(&[("a".into(), None), ("b".into(), None)]);
        assert!(metadata.is_empty() && metadata.all().is_empty());
    }
}
