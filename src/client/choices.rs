//! What a person has chosen while talking, and what shall still be so the next time: what rings from which room, and whose
//! words are not to be seen. A file of the program's own, beside the configuration that is the person's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::pins::replace_private;
use super::settings::{Level, quoted};

/// A larger file is none of ours.
const FILE_MAX: u64 = 1024 * 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Choices {
    /// Names of persons, folded.
    pub ignored: BTreeSet<String>,
    /// By the folded name of the room or person.
    pub rooms: BTreeMap<String, Level>,
}

impl Choices {
    /// What was written last; an error in words if that cannot be read.
    pub fn read(path: &Path) -> Result<Choices, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
        match fs::metadata(path) {
            Ok(meta) if meta.len() > FILE_MAX => return Err(wrong(&"it is too large")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Choices::default()),
            _ => {}
        }
        let text = fs::read_to_string(path).map_err(|error| wrong(&error))?;
        toml::from_str(&text).map_err(|error| wrong(&error.message()))
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        let ignored: Vec<String> = self.ignored.iter().map(|name| quoted(name)).collect();
        let mut text =
            format!("# Written by chat, by /ignore and /notify.\nignored = [{}]\n\n[rooms]\n", ignored.join(", "));
        for (room, level) in &self.rooms {
            text.push_str(&format!("{} = \"{}\"\n", quoted(room), level.word()));
        }
        replace_private(path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_broken_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/choices.toml");
        assert_eq!(Choices::read(&path), Ok(Choices::default()));
        let rooms = [("#\"ops\"", Level::None), ("bob", Level::All), ("#x", Level::Mentions)];
        let choices = Choices {
            ignored: ["mallory", "中\\"].map(str::to_owned).into(),
            rooms: rooms.map(|(room, level)| (room.to_owned(), level)).into(),
        };
        choices.write(&path).unwrap();
        assert_eq!(Choices::read(&path), Ok(choices));
        fs::write(&path, "[rooms]\n'#x' = 'loud'\n").unwrap();
        let told = Choices::read(&path).unwrap_err();
        assert!(told.contains("choices.toml") && told.contains("mentions"), "{told}");
    }
}
