//! SEARCH as soju specifies it (<https://codeberg.org/emersion/soju/src/branch/master/doc/ext/search.md>): over all
//! rooms and direct conversations that the asker may read.

use crate::encode;
use crate::event::{EventId, Millis};
use crate::log::{Hit, Question, StoreError};
use crate::proto::caps::Cap;
use crate::proto::line::{Message, unescape};
use crate::proto::names::AccountName;
use crate::proto::numerics::*;

use super::Session;
use super::rooms::clean;

/// Messages of one answer at most.
pub(super) const HITS_MAX: usize = 100;

/// What somebody searches for, in the words in which it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Words that must all occur; empty: any text.
    pub text: String,
    /// A room or a person.
    pub within: Option<String>,
    pub from: Option<String>,
    pub after: Option<Millis>,
    pub before: Option<Millis>,
    /// Our own attribute `chatd/older-than=MSGID`: much can be said in one millisecond, so that pages by time alone
    /// would leave something out.
    pub older_than: Option<EventId>,
    /// At most [`HITS_MAX`] count.
    pub limit: usize,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish {
            text: String::new(),
            within: None,
            from: None,
            after: None,
            before: None,
            older_than: None,
            limit: HITS_MAX,
        }
    }
}

impl Wish {
    /// Reads `text=a\sb;in=#room;limit=5`; what is not understood is the error. Unknown attributes mean nothing.
    fn parse(attributes: &str) -> Result<Wish, String> {
        let mut wish = Wish::default();
        for attribute in attributes.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = unescape(value);
            let moment = || encode::moment(&value).ok_or_else(|| name.to_owned());
            match name {
                "text" => wish.text = value,
                "in" => wish.within = Some(value),
                "from" => wish.from = Some(value),
                "after" => wish.after = Some(moment()?),
                "before" => wish.before = Some(moment()?),
                "chatd/older-than" => {
                    wish.older_than = Some(EventId::from_msgid(&value).ok_or_else(|| name.to_owned())?);
                }
                "limit" => {
                    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                    if !digits {
                        return Err(name.to_owned());
                    }
                    wish.limit = value.parse().unwrap_or(usize::MAX);
                }
                _ => {}
            }
        }
        Ok(wish)
    }
}

impl Session {
    pub(super) async fn search(&mut self, message: &Message<'_>) {
        if !self.caps().contains(Cap::Search) {
            self.numeric(ERR_UNKNOWNCOMMAND, &["SEARCH"], "Ask for the capability soju.im/search first");
            return;
        }
        let [attributes] = message.params[..] else {
            self.fail("SEARCH", "INVALID_PARAMS", &[], "One parameter is needed, such as text=word;in=#room");
            return;
        };
        let wish = match Wish::parse(attributes) {
            Ok(wish) => wish,
            Err(attribute) => {
                self.fail("SEARCH", "INVALID_PARAMS", &[&clean(&attribute)], "The value is not understood");
                return;
            }
        };
        let hits = match self.find(wish).await {
            Ok(hits) => hits,
            Err(error) => {
                tracing::error!(account = %self.person.nick, %error, "the history cannot be searched");
                self.fail("SEARCH", "INTERNAL_ERROR", &[], "The search could not be run; try again in a moment");
                return;
            }
        };
        let batch = self.begin_batch("soju.im/search", &[]);
        for hit in &hits {
            self.tell_event(&hit.event, &hit.with, batch.as_deref());
        }
        if let Some(batch) = batch {
            self.end_batch(&batch);
        }
    }

    /// What was said and is as wished, the oldest first. A room that this account may not read holds nothing, like one
    /// that is not there.
    pub(super) async fn find(&self, wish: Wish) -> Result<Vec<Hit>, StoreError> {
        let within = match &wish.within {
            None => None,
            Some(name) => match self.whose(name).await? {
                Some((whose, _)) => Some(whose),
                None => return Ok(Vec::new()),
            },
        };
        let from = match wish.from.as_deref().map(AccountName::parse) {
            None => None,
            Some(Ok(name)) => Some(name.key().to_owned()),
            Some(Err(_)) => return Ok(Vec::new()),
        };
        let Wish { text, after, before, older_than, .. } = wish;
        let question = Question { text, within, from, after, before, older_than, limit: wish.limit.min(HITS_MAX) };
        self.ctx.log.readers().search(self.person.id, question).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_like_tags() {
        let wish = Wish::parse(
            "text=good\\smorning\\:;in=#lobby;from=anna;limit=5;chatd/older-than=z8;later=x;;after=2026-11-23T15:20:06.123Z",
        );
        let expected = Wish {
            text: "good morning;".into(),
            within: Some("#lobby".into()),
            from: Some("anna".into()),
            after: Some(Millis(1_795_447_206_123)),
            before: None,
            older_than: Some(EventId(1000)),
            limit: 5,
        };
        assert_eq!(wish, Ok(expected));
        assert_eq!(Wish::parse(""), Ok(Wish::default()));
        for (attributes, wrong) in [
            ("limit=x", "limit"),
            ("limit", "limit"),
            ("before=now", "before"),
            ("text=a;after=1", "after"),
            ("chatd/older-than=", "chatd/older-than"),
        ] {
            assert_eq!(Wish::parse(attributes), Err(wrong.to_owned()));
        }
    }
}
