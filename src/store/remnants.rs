//! What SQLite leaves behind. `secure_delete` zeroes what is deleted; but when a page has become too empty or too full, its
//! cells are spread anew over it and its neighbours (`rebuildPage` in SQLite's btree.c), and copies of them stay in bytes
//! that belong to nothing. What is deleted later is still there to be read in the file, if not by SQL. So after something
//! was taken away all pages are looked through, a slice at a time, and such bytes are zeroed by [`Tx::sweep`].
//!
//! The pages are those of <https://www.sqlite.org/fileformat2.html#b_tree_pages>, seen through the `sqlite_dbpage` table:
//! SQLite itself writes them, in a transaction. Nothing but bytes that it would never read is changed.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Result;
use super::{Reads, Tx};

/// The first four bytes of pages that are no b-tree's are the number of a page. From this many on, the first one could be
/// taken for the type of a b-tree's: a database of 137 GB, with pages of 4096 bytes.
const PAGES_MOST: u32 = 0x0200_0000;

/// What a slice of the pages was found to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Littered {
    /// Those with bytes of which nothing should be left.
    pub pages: Vec<u32>,
    /// Where the next slice begins. `None`: that was the last.
    pub next: Option<u32>,
}

impl Reads {
    /// How many transactions have taken something away, if what they may have left behind was not swept since: what to say
    /// to [`Tx::swept`] when all pages, from now on, have been.
    pub fn unswept(&self) -> Result<Option<i64>> {
        let value = |key: &str| -> Result<Option<i64>> {
            let mut statement = self.conn.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
            Ok(statement.query_row([key], |row| row.get(0)).optional()?)
        };
        let taken = value(TAKEN)?.unwrap_or(0);
        Ok((value(SWEPT)? != Some(taken)).then_some(taken))
    }

    /// Whether this build of SQLite can show its pages.
    pub fn can_sweep(&self) -> Result<bool> {
        let mut statement = self.conn.prepare("SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_dbpage'")?;
        Ok(statement.exists([])? && page_count(&self.conn)? < PAGES_MOST)
    }

    /// Looks through `count` pages from this one on; the first page is 1.
    pub fn littered(&self, from: u32, count: u32) -> Result<Littered> {
        let end = page_count(&self.conn)?.saturating_add(1);
        let until = end.min(from.saturating_add(count));
        let mut pages = Vec::new();
        for number in from..until {
            if cleaned(&self.conn, number)?.is_some() {
                pages.push(number);
            }
        }
        Ok(Littered { pages, next: (until < end).then_some(until) })
    }
}

impl Tx<'_> {
    /// Zeroes what belongs to nothing in these pages, as they are now. The commit owes a checkpoint.
    pub fn sweep(&self, pages: &[u32]) -> Result<()> {
        self.rewrites();
        self.step(|conn| {
            for number in pages {
                if let Some(page) = cleaned(conn, *number)? {
                    conn.prepare_cached("UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1")?
                        .execute(params![number, page])?;
                }
            }
            Ok(())
        })
    }

    /// All pages were swept since [`Reads::unswept`] said so many.
    pub fn swept(&self, taken: i64) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            )?
            .execute(params![SWEPT, taken])?;
            Ok(())
        })
    }

    /// Something has been taken away: the pages are to be swept.
    pub(super) fn note_taken(&self) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1",
            )?
            .execute([TAKEN])?;
            Ok(())
        })
    }
}

const TAKEN: &str = "taken_away";
const SWEPT: &str = "swept";

fn page_count(conn: &Connection) -> Result<u32> {
    Ok(conn.prepare_cached("PRAGMA page_count")?.query_row([], |row| row.get(0))?)
}

/// The page without what belongs to nothing; `None`: there is nothing such in it.
fn cleaned(conn: &Connection, number: u32) -> Result<Option<Vec<u8>>> {
    let mut statement = conn.prepare_cached("SELECT data FROM sqlite_dbpage WHERE pgno = ?1")?;
    let mut rows = statement.query([number])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let page = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
    // The database's own header precedes that of its first page.
    let header = if number == 1 { 100 } else { 0 };
    let free = unowned(page, header).unwrap_or_default();
    if free.iter().all(|range| page.get(range.clone()).is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0))) {
        return Ok(None);
    }
    let mut page = page.to_vec();
    for range in free {
        if let Some(bytes) = page.get_mut(range) {
            bytes.fill(0);
        }
    }
    Ok(Some(page))
}

/// The bytes of a b-tree's page that belong to nothing: between the list of its cells and the cells, and in free blocks
/// behind their own headers. `None`: it is no such page, or none that we understand.
fn unowned(page: &[u8], header: usize) -> Option<Vec<Range<usize>>> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    let length = match page.get(header)? {
        2 | 5 => 12,
        10 | 13 => 8,
        _ => return None,
    };
    let cells = number(header + 3)?;
    let content = match number(header + 5)? {
        0 => 65_536,
        content => content,
    };
    let listed = header + length + 2 * cells;
    if listed > content || content > page.len() {
        return None;
    }
    let mut free = Vec::from_iter([(listed, content)]);
    let mut block = number(header + 1)?;
    let mut before = content;
    while block != 0 {
        let (next, size) = (number(block)?, number(block + 2)?);
        let end = block + size;
        if block < before || size < 4 || end > page.len() {
            return None;
        }
        free.push((block + 4, end));
        (block, before) = (next, end);
    }
    Some(free.into_iter().map(|(from, until)| from..until).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::event::{EventId, Millis};
    use crate::store::database_path;
    use crate::store::story::{World, said};

    use super::*;

    /// A leaf of a table of 64 bytes: one cell at 50, a free block of 8 bytes at 40, the content from 40 on.
    fn leaf() -> Vec<u8> {
        let mut page = vec![b'x'; 64];
        page[..10].copy_from_slice(&[13, 0, 40, 0, 1, 0, 40, 0, 0, 50]);
        page[40..44].copy_from_slice(&[0, 0, 0, 8]);
        page
    }

    #[test]
    fn what_belongs_to_nothing() {
        assert_eq!(unowned(&leaf(), 0), Some(vec![10..40, 44..48]));
        let mut inner = leaf();
        inner[0] = 5;
        assert_eq!(unowned(&inner, 0), Some(vec![14..40, 44..48]));
        let mut first = vec![0; 100];
        first.extend(leaf());
        first[101..103].fill(0);
        first[105..107].copy_from_slice(&[0, 140]);
        assert_eq!(unowned(&first, 100).as_deref(), Some(std::slice::from_ref(&(110..140))));
    }

    /// A word that stands nowhere else, not even in part.
    fn word(n: usize) -> String {
        format!(
            "{:016x}",
            (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
        )
    }

    /// Which of the words stand in the database's files.
    fn standing(world: &World, words: usize) -> Vec<usize> {
        assert!(world.writer.checkpoint().unwrap());
        let bytes = std::fs::read(database_path(world.dir.path())).unwrap();
        // The index leaves out what a word has in common with the one before.
        let there = |n: &usize| memchr::memmem::find(&bytes, &word(*n).as_bytes()[5..]).is_some();
        (0..words).filter(there).collect()
    }

    fn sweep(world: &mut World, slice: u32) {
        let taken = world.writer.unswept().unwrap().unwrap();
        let mut next = Some(1);
        while let Some(from) = next {
            let found = world.writer.littered(from, slice).unwrap();
            let tx = world.writer.begin().unwrap();
            tx.sweep(&found.pages).unwrap();
            tx.commit().unwrap();
            next = found.next;
        }
        let tx = world.writer.begin().unwrap();
        tx.swept(taken).unwrap();
        tx.commit().unwrap();
    }

    fn whole(world: &World) {
        let conn = Connection::open(database_path(world.dir.path())).unwrap();
        let said: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(said, "ok");
    }

    fn index(world: &mut World) {
        let tx = world.writer.begin().unwrap();
        while tx.index(512).unwrap() == 512 {}
        tx.commit().unwrap();
    }

    #[test]
    fn sqlite_moves_cells_and_leaves_copies() {
        let mut world = World::new();
        assert!(world.writer.can_sweep().unwrap(), "see .cargo/config.toml");
        let (alice, room, other) = (world.alice.clone(), world.room, world.direct());
        let rooms = [other, other, other, room];
        for n in 0..400 {
            world.add(&alice, said(&format!("{}{}", "x".repeat(20), word(n))), &[rooms[n % 4]]);
        }
        // Pages that lose much are joined with their neighbours, before what is left loses its words, too.
        let tx = world.writer.begin().unwrap();
        tx.prune(other, Millis(i64::MAX), usize::MAX).unwrap();
        for (_, event) in tx.read(room, 1, usize::MAX).unwrap() {
            tx.redact(event.id).unwrap();
        }
        tx.commit().unwrap();
        assert!(!standing(&world, 400).is_empty(), "it would show nothing");
        sweep(&mut world, 3);
        assert_eq!(standing(&world, 400), [0; 0]);
        whole(&world);
        assert_eq!(world.writer.unswept().unwrap(), None);
        assert_eq!(world.writer.littered(1, 10_000).unwrap(), Littered::default());
        let last = world.say("and on it goes");
        let tx = world.writer.begin().unwrap();
        tx.redact(last).unwrap();
        tx.commit().unwrap();
        assert!(world.writer.unswept().unwrap().is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Whatever is taken away, in whatever steps, it is gone, and all else is there.
        #[test]
        fn after_a_sweep_nothing_is_left_but_what_is_kept(
            lengths in prop::collection::vec(1usize..1_500, 50..400),
            steps in prop::collection::vec((any::<prop::sample::Index>(), 1usize..60, 1usize..4, any::<bool>()), 1..20),
            pruned in 0usize..60, slice in 1u32..40,
        ) {
            let mut world = World::new();
            let count = lengths.len();
            let ids: Vec<EventId> =
                lengths.iter().enumerate().map(|(n, length)| world.say(&format!("{} {}", "y".repeat(*length), word(n)))).collect();
            let mut kept = vec![true; count];
            index(&mut world);
            for (at, many, every, indexed) in steps {
                let from = at.index(count);
                let tx = world.writer.begin().unwrap();
                for n in (from..count.min(from + many)).step_by(every) {
                    tx.redact(ids[n]).unwrap();
                    kept[n] = false;
                }
                tx.commit().unwrap();
                if indexed {
                    world.say("in between");
                    index(&mut world);
                }
            }
            let tx = world.writer.begin().unwrap();
            let gone = tx.prune(world.room, Millis(i64::MAX), pruned).unwrap();
            tx.commit().unwrap();
            kept.iter_mut().take(gone).for_each(|kept| *kept = false);
            sweep(&mut world, slice);
            let expected: Vec<usize> = (0..count).filter(|n| kept[*n]).collect();
            prop_assert_eq!(standing(&world, count), expected);
            whole(&world);
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let changed = |at: usize, to: u8| {
            let mut page = leaf();
            page[at] = to;
            unowned(&page, 0)
        };
        for (at, to, why) in [
            (0, 0, "no b-tree"),
            (0, 12, "no type that there is"),
            (3, 1, "more cells than there is room for"),
            (6, 65, "cells that begin behind the page"),
            (2, 39, "a free block in front of the cells"),
            (2, 63, "a free block that ends behind the page"),
            (43, 3, "a free block that is too small"),
            (43, 25, "a free block that is too large"),
            (41, 40, "free blocks in a circle"),
        ] {
            assert_eq!(changed(at, to), None, "{why}");
        }
        assert_eq!(unowned(&[], 0), None);
        assert_eq!(unowned(&[13], 0), None);
    }
}
