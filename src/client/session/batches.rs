//! Batches: pages of the past, what a search found, messages of several lines, answers of several lines.

use super::multiline::{Gathered, MULTILINE};
use super::{BATCHES_MAX, Batch, BatchKind, Frame, Session};
use crate::client::heard::{Heard, Page};
use crate::client::login::{Mode, SEARCH};
use crate::client::text::clean;
use crate::proto::line::Message;

impl Session {
    pub(super) fn batch(&mut self, message: &Message, frame: &Frame) {
        let Some(id) = message.param(0) else { return };
        if let Some(id) = id.strip_prefix('+') {
            if self.batches.len() >= BATCHES_MAX {
                return;
            }
            let kind = message.param(1).unwrap_or_default();
            let of_page = matches!(kind, "chathistory" | "draft/chathistory" | SEARCH);
            let query = if of_page { self.settle_query(frame.label, true) } else { None };
            let kind = match (kind, frame.label) {
                ("chathistory" | "draft/chathistory", _) => {
                    let with = clean(message.param(2).unwrap_or_default());
                    if self.mode != Mode::Screen {
                        self.heard.push_back(Heard::Earlier { with: with.clone() });
                    }
                    BatchKind::Replay { with, count: 0, oldest: None }
                }
                (SEARCH, _) => BatchKind::Found,
                (MULTILINE, _) => {
                    let from = clean(message.source.map_or("", |source| source.split(['!', '@']).next().unwrap_or("")));
                    let target = message.param(2).unwrap_or_default();
                    let around = message.tags.value("batch");
                    BatchKind::Lines(Box::new(Gathered::of(message, frame.clone(), around, from, target)))
                }
                (_, Some(label)) if frame.alone => BatchKind::Answer { label },
                _ => BatchKind::Other,
            };
            let with = if let BatchKind::Replay { with, .. } = &kind { with.clone() } else { String::new() };
            let page = Page { query, with, heard: Vec::new(), lines: 0, first: None, last: None };
            self.batches.push(Batch { id: id.to_owned(), parent: message.tags.value("batch"), kind, page });
        } else if let Some(id) = id.strip_prefix('-')
            && let Some(at) = self.batches.iter().position(|batch| batch.id == id)
        {
            let Batch { kind, page, .. } = self.batches.remove(at);
            match kind {
                BatchKind::Replay { .. } | BatchKind::Found if self.mode == Mode::Screen => {
                    self.heard.push_back(Heard::Page(page));
                }
                BatchKind::Replay { with, count, oldest } => self.heard.push_back(Heard::Now { with, count, oldest }),
                BatchKind::Answer { label } => self.stored(Some(label)),
                BatchKind::Lines(gathered) => self.gathered(*gathered),
                BatchKind::Found | BatchKind::Other => {}
            }
        }
    }
}
