//! Searching for those who ask the service: `search coffee in:#lobby from:bob`. What is found and who may read it is
//! decided where SEARCH is.

use crate::event::Event;

use super::super::Session;
use super::super::rooms::clean;
use super::super::search::Wish;
use super::Asked;
use super::past::{moment, that_fit};

/// Messages shown at most.
const HITS: usize = 20;

/// Words, and attributes with a colon; the error is a sentence.
fn parse(text: &str) -> Result<Wish, String> {
    let mut wish = Wish { limit: HITS, ..Wish::default() };
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        let time = || {
            let wrong = || format!("{} is no time. Write one like 2026-11-23 or 2026-11-23T15:20 (UTC).", clean(value));
            moment(value).ok_or_else(wrong).map(Some)
        };
        match (name.to_ascii_lowercase().as_str(), value.is_empty()) {
            ("in", false) => wish.within = Some(value.to_owned()),
            ("from", false) => wish.from = Some(value.to_owned()),
            ("after", false) => wish.after = time()?,
            ("before", false) => wish.before = time()?,
            _ => words.push(word),
        }
    }
    wish.text = words.join(" ");
    match wish == (Wish { limit: HITS, ..Wish::default() }) {
        true => Err("What am I to search for?".to_owned()),
        false => Ok(wish),
    }
}

impl Session {
    pub(super) async fn service_search(&mut self, rest: &str) {
        let wish = match parse(rest) {
            Ok(wish) => wish,
            Err(wrong) => return self.service_usage(&wrong, Asked::Search),
        };
        let oldest_first = wish.after.is_some();
        let Ok(hits) = self.find(wish).await else { return self.service_trouble() };
        if hits.is_empty() {
            return self.service_says("Nothing was found in what you can read.");
        }
        let events: Vec<&Event> = hits.iter().map(|hit| &hit.event).collect();
        let fit = that_fit(&events).len();
        for hit in &hits[hits.len() - fit..] {
            self.service_shows(&hit.event, Some(&hit.with));
        }
        let end = match (hits.len() >= HITS || fit < hits.len(), oldest_first) {
            (false, _) => "That is all. All times are UTC.",
            (true, false) => "There may be older ones: say before:<time>, or more words, in:#room, from:nick.",
            (true, true) => "There may be newer ones: say a later after:<time>, or more words, in:#room, from:nick.",
        };
        self.service_says(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_words_and_attributes() {
        let wish =
            parse("coffee IN:#lobby machine from:bob before:2026-11-23 after:2026-11-01T10:00 http://x").unwrap();
        let expected = Wish {
            text: "coffee machine http://x".into(),
            within: Some("#lobby".into()),
            from: Some("bob".into()),
            after: moment("2026-11-01 10:00"),
            before: moment("2026-11-23"),
            older_than: None,
            limit: HITS,
        };
        assert_eq!(wish, expected);
        assert_eq!(parse("in:").unwrap().text, "in:", "a word like any");
        for bad in ["", "   ", "x after:noon"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }
}
