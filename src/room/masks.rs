//! The lists of a room: who is banned, excepted, let in, muted. At most [`LIST_MAX`] masks in all lists together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Millis, Who};
use crate::proto::masks::{fits, fold};
pub use crate::proto::modes::LIST_MAX;

/// One mask as it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    pub mask: Arc<str>,
    /// The nick of who set it.
    pub by: Arc<str>,
    pub at: Millis,
}

/// All lists, by the letter and the folded mask: a second spelling of a mask is the same mask. Shared, since a state is
/// copied far more often than its lists change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks(Arc<BTreeMap<(char, String), Masked>>);

impl Masks {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mask as it stands in the list, however it is spelled here.
    pub fn find(&self, letter: char, mask: &str) -> Option<&Masked> {
        self.0.get(&(letter, fold(mask)))
    }

    /// A mask that is there stays as it is.
    pub fn set(&mut self, letter: char, masked: Masked) {
        let key = (letter, fold(&masked.mask));
        if !self.0.contains_key(&key) {
            Arc::make_mut(&mut self.0).insert(key, masked);
        }
    }

    pub fn unset(&mut self, letter: char, mask: &str) {
        let key = (letter, fold(mask));
        if self.0.contains_key(&key) {
            Arc::make_mut(&mut self.0).remove(&key);
        }
    }

    /// Every mask with the letter of its list.
    pub fn iter(&self) -> impl Iterator<Item = (char, &Masked)> {
        self.0.iter().map(|((letter, _), masked)| (*letter, masked))
    }

    /// One list, in the order in which it grew.
    pub fn list(&self, letter: char) -> Vec<&Masked> {
        let mut list: Vec<&Masked> = self.iter().filter(|(of, _)| *of == letter).map(|(_, masked)| masked).collect();
        list.sort_by_key(|masked| masked.at);
        list
    }

    /// Whether somebody is meant by one of these lists, and not excepted.
    pub(super) fn mean(&self, letters: &[char], who: &Who, host: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let (nick, host) = (fold(&who.nick), fold(host));
        let on =
            |letters: &[char]| self.0.keys().any(|(letter, mask)| letters.contains(letter) && fits(mask, &nick, &host));
        on(letters) && !on(&['e'])
    }

    /// Whether somebody needs no invitation.
    pub(super) fn let_in(&self, who: &Who, host: &str) -> bool {
        let mut letters = self.0.keys().filter(|(letter, _)| *letter == 'I').peekable();
        if letters.peek().is_none() {
            return false;
        }
        let (nick, host) = (fold(&who.nick), fold(host));
        letters.any(|(_, mask)| fits(mask, &nick, &host))
    }
}
