//! A Slack export, as a zip file or unpacked: `users.json`, the lists of rooms, and a folder for each room with a file for
//! each day. Edited messages have their last text; answers and reactions become ours.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use super::gather::{Deed, Found, FoundRoom, Gathered, sayable};
use crate::event::{Millis, Speech};

const GOINGS: &str = "lines of joining, leaving, kicks and other nicks";
const REMARKS: &str = "remarks of Slack: pins, bookmarks, purposes, new names of rooms";
const DELETED: &str = "messages that were deleted";
/// The longest file that is read out of a zip: what a day of one room could be, and no more than memory has room for.
const FILE_MAX: u64 = 512 * 1024 * 1024;

/// The files of an export by their names, wherever they are.
enum Export {
    Folder(PathBuf),
    Zip(Box<zip::ZipArchive<File>>),
}

impl Export {
    fn open(place: &Path) -> anyhow::Result<Export> {
        let name = || place.display().to_string();
        if fs::metadata(place).with_context(name)?.is_dir() {
            return Ok(Export::Folder(place.to_owned()));
        }
        let file = File::open(place).with_context(name)?;
        let archive = zip::ZipArchive::new(file).with_context(|| format!("{} is no zip file", name()))?;
        Ok(Export::Zip(Box::new(archive)))
    }

    /// Names with `/` between, in order.
    fn names(&self) -> anyhow::Result<Vec<String>> {
        let mut names = match self {
            Export::Zip(archive) => archive
                .file_names()
                .map(|name| name.map(|name| name.into_owned()))
                .collect::<Result<Vec<_>, _>>()
                .context("the zip file")?,
            Export::Folder(folder) => {
                let files = super::gather::files_below(std::slice::from_ref(folder))?;
                let relative = files.iter().filter_map(|file| file.strip_prefix(folder).ok()?.to_str());
                relative.map(str::to_owned).collect()
            }
        };
        names.sort();
        Ok(names)
    }

    fn read(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Export::Folder(folder) => File::open(folder.join(name))
                .and_then(|mut file| file.read_to_end(&mut bytes))
                .context(name.to_owned())?,
            Export::Zip(archive) => {
                let file = archive.by_name(name).context(name.to_owned())?;
                file.take(FILE_MAX).read_to_end(&mut bytes).context(name.to_owned())?
            }
        };
        Ok(bytes)
    }

    /// A list that may not be there.
    fn list<T: for<'a> Deserialize<'a>>(&mut self, names: &[String], name: &str) -> anyhow::Result<Vec<T>> {
        if !names.iter().any(|there| there == name) {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&self.read(name)?).with_context(|| format!("{name} is not as Slack writes it"))
    }
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    is_bot: bool,
    #[serde(default)]
    profile: Profile,
}

#[derive(Deserialize, Default)]
struct Profile {
    #[serde(default)]
    real_name: String,
    #[serde(default)]
    display_name: String,
}

#[derive(Deserialize)]
struct Room {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    created: i64,
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    subtype: String,
    user: Option<String>,
    username: Option<String>,
    bot_id: Option<String>,
    #[serde(default)]
    text: String,
    ts: String,
    thread_ts: Option<String>,
    topic: Option<String>,
    #[serde(default)]
    reactions: Vec<Reaction>,
    #[serde(default)]
    files: Vec<Value>,
    #[serde(default)]
    attachments: Vec<Value>,
}

#[derive(Deserialize)]
struct Reaction {
    name: String,
    #[serde(default)]
    users: Vec<String>,
}

/// Who is who, and which room is which, by Slack's ids.
#[derive(Default)]
struct Known {
    people: HashMap<String, usize>,
    rooms: HashMap<String, String>,
}

pub fn read(place: &Path, now: Millis, out: &mut Gathered) -> anyhow::Result<()> {
    let mut export = Export::open(place)?;
    let names = export.names()?;
    if !names.iter().any(|name| name == "users.json") {
        bail!("there is no users.json in {}: is it a Slack export, and all of it?", place.display());
    }
    let mut known = Known::default();
    for user in export.list::<User>(&names, "users.json")? {
        let name = if user.name.is_empty() { user.id.clone() } else { user.name };
        let who = out.person(&name);
        let Profile { real_name, display_name } = user.profile;
        let shown = if display_name.is_empty() { real_name } else { display_name };
        out.people[who].bot |= user.is_bot;
        out.people[who].display_name = Some(shown).filter(|shown| !shown.is_empty() && *shown != name);
        known.people.insert(user.id, who);
    }
    // By the name of the folder.
    let mut rooms: BTreeMap<String, usize> = BTreeMap::new();
    for (list, private) in [("channels.json", false), ("groups.json", true), ("mpims.json", true), ("dms.json", true)] {
        for room in export.list::<Room>(&names, list)? {
            let members: Vec<usize> = room.members.iter().map(|id| known.person(id, out)).collect();
            let between = match (list, &members[..]) {
                ("dms.json", [one]) => Some((*one, *one)),
                ("dms.json", [one, other]) => Some((*one, *other)),
                _ => None,
            };
            let folder = if room.name.is_empty() { room.id.clone() } else { room.name.clone() };
            let at = out.add_room(FoundRoom {
                name: format!("#{folder}"),
                network: None,
                private,
                members: if between.is_some() { Vec::new() } else { members },
                created: Some(room.created.saturating_mul(1000)).filter(|created| *created > 0),
                between,
            });
            known.rooms.insert(room.id, folder.clone());
            rooms.insert(folder, at);
        }
    }
    // Answers are found by the room and the time of what they answer.
    let mut entries: HashMap<(usize, String), usize> = HashMap::new();
    for name in &names {
        let Some((folder, file)) = name.split_once('/') else { continue };
        if !file.ends_with(".json") || file.contains('/') {
            continue;
        }
        let Some(room) = rooms.get(folder).copied() else {
            out.pass("files of rooms that no list names");
            continue;
        };
        let bytes = export.read(name)?;
        let messages: Vec<Value> =
            serde_json::from_slice(&bytes).with_context(|| format!("{name} is not as Slack writes it"))?;
        for (message, number) in messages.into_iter().zip(1..) {
            match serde_json::from_value::<Message>(message) {
                Ok(message) => {
                    if let Err(why) = known.take(message, room, now, &mut entries, out) {
                        out.fault(Path::new(name), number, why);
                    }
                }
                Err(error) => {
                    out.fault(Path::new(name), number, format!("this message is not as Slack writes it: {error}"))
                }
            }
        }
    }
    Ok(())
}

impl Known {
    fn person(&mut self, id: &str, out: &mut Gathered) -> usize {
        // Somebody of another workspace, whom no list names.
        *self.people.entry(id.to_owned()).or_insert_with(|| out.person(&id.to_lowercase()))
    }

    fn take(
        &mut self,
        message: Message,
        room: usize,
        now: Millis,
        entries: &mut HashMap<(usize, String), usize>,
        out: &mut Gathered,
    ) -> Result<(), &'static str> {
        let time = moment(&message.ts).ok_or("the time (ts) cannot be read")?;
        if time > now.0 {
            return Err("this is in the future");
        }
        match message.subtype.as_str() {
            "channel_join" | "channel_leave" | "group_join" | "group_leave" => {
                out.pass(GOINGS);
                return Ok(());
            }
            "tombstone" => {
                out.pass(DELETED);
                return Ok(());
            }
            "" | "me_message" | "bot_message" | "file_share" | "thread_broadcast" | "file_comment"
            | "reply_broadcast" | "channel_topic" | "group_topic" | "slackbot_response" => {}
            _ => {
                out.pass(REMARKS);
                return Ok(());
            }
        }
        let who = match (&message.user, &message.username, &message.bot_id) {
            (Some(user), ..) => self.person(user, out),
            (None, Some(name), _) if !name.trim().is_empty() => {
                let who = out.person(name.trim());
                out.people[who].bot = true;
                who
            }
            (None, _, Some(bot)) => {
                let who = out.person(&bot.to_lowercase());
                out.people[who].bot = true;
                who
            }
            _ => return Err("whose message this is cannot be told"),
        };
        if let "channel_topic" | "group_topic" = message.subtype.as_str() {
            let topic = sayable(&self.plain(&message.topic.unwrap_or_default(), out)).replace('\n', " ");
            out.entries.push(Found { time, room, who, deed: Deed::Topic(topic) });
            return Ok(());
        }
        let mut text = self.plain(&message.text, out);
        for attached in &message.attachments {
            // A bot's message is often nothing else; of a link somebody wrote it is a preview, which the link has already.
            if text.trim().is_empty() {
                let field = |name: &str| attached.get(name).and_then(Value::as_str).unwrap_or_default();
                let parts = [field("pretext"), field("title"), field("text")].map(|part| self.plain(part, out));
                let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
                text = if parts.is_empty() { self.plain(field("fallback"), out) } else { parts.join("\n") };
            }
        }
        for file in &message.files {
            let field = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
            let title = if field("name").is_empty() { field("title") } else { field("name") };
            let line = format!("{title} {}", field("url_private"));
            if !line.trim().is_empty() {
                text = format!("{}\n{}", text.trim_end(), line.trim()).trim_start().to_owned();
            }
        }
        let text = sayable(text.trim_end());
        if text.trim().is_empty() {
            out.pass("messages without a text");
            return Ok(());
        }
        let text = if message.subtype == "me_message" { super::action(&text.replace('\n', " ")) } else { text };
        let answers = message.thread_ts.filter(|thread| *thread != message.ts);
        let answers = answers.and_then(|thread| entries.get(&(room, thread)).copied());
        let at = out.entries.len();
        out.entries.push(Found { time, room, who, deed: Deed::Said { speech: Speech::Privmsg, text, answers } });
        entries.insert((room, message.ts), at);
        for Reaction { name, users } in message.reactions {
            let emoji = emoji(&name);
            for user in users {
                let who = self.person(&user, out);
                out.entries.push(Found { time, room, who, deed: Deed::Reaction { emoji: emoji.clone(), to: at } });
            }
        }
        Ok(())
    }

    /// A text without Slack's marks for people, rooms and links.
    fn plain(&mut self, text: &str, out: &mut Gathered) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            plain.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let Some(end) = after.find('>') else {
                plain.push('<');
                rest = after;
                continue;
            };
            let (what, label) = after[..end].split_once('|').map_or((&after[..end], ""), |(what, label)| (what, label));
            match what.split_at_checked(1) {
                Some(("@", id)) => {
                    let who = self.person(id, out);
                    plain.push('@');
                    plain.push_str(&out.people[who].name);
                }
                Some(("#", id)) => {
                    plain.push('#');
                    plain.push_str(if label.is_empty() {
                        self.rooms.get(id).map_or(id, String::as_str)
                    } else {
                        label
                    });
                }
                Some(("!", word)) if label.is_empty() => {
                    plain.push('@');
                    plain.push_str(word.split('^').next().unwrap_or(word));
                }
                Some(("!", _)) => plain.push_str(label),
                _ if label.is_empty() || what == label || what == format!("mailto:{label}") => {
                    plain.push_str(what.strip_prefix("mailto:").unwrap_or(what));
                }
                _ => plain.push_str(&format!("{label} ({what})")),
            }
            rest = &after[end + 1..];
        }
        plain.push_str(rest);
        plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    }
}

/// `1763971200.000200`: seconds since 1970.
fn moment(ts: &str) -> Option<i64> {
    let (seconds, rest) = ts.split_once('.').unwrap_or((ts, "0"));
    let millis = format!("{rest:0<3}").get(..3)?.parse::<i64>().ok()?;
    seconds.parse::<i64>().ok().filter(|seconds| *seconds > 0)?.checked_mul(1000)?.checked_add(millis)
}

/// The sign for one of Slack's names, as far as they are used much; others keep their names.
fn emoji(name: &str) -> String {
    const SIGNS: &[(&str, &str)] = &[
        ("+1", "👍"),
        ("thumbsup", "👍"),
        ("-1", "👎"),
        ("thumbsdown", "👎"),
        ("heart", "❤️"),
        ("tada", "🎉"),
        ("joy", "😂"),
        ("smile", "😄"),
        ("slightly_smiling_face", "🙂"),
        ("grinning", "😀"),
        ("laughing", "😆"),
        ("wink", "😉"),
        ("cry", "😢"),
        ("sob", "😭"),
        ("thinking_face", "🤔"),
        ("eyes", "👀"),
        ("fire", "🔥"),
        ("rocket", "🚀"),
        ("pray", "🙏"),
        ("clap", "👏"),
        ("raised_hands", "🙌"),
        ("wave", "👋"),
        ("ok_hand", "👌"),
        ("muscle", "💪"),
        ("100", "💯"),
        ("white_check_mark", "✅"),
        ("heavy_check_mark", "✔️"),
        ("x", "❌"),
        ("warning", "⚠️"),
        ("question", "❓"),
        ("exclamation", "❗"),
        ("bulb", "💡"),
        ("bug", "🐛"),
        ("coffee", "☕"),
        ("beers", "🍻"),
        ("cake", "🍰"),
        ("star", "⭐"),
        ("sparkles", "✨"),
        ("sweat_smile", "😅"),
        ("rolling_on_the_floor_laughing", "🤣"),
        ("heart_eyes", "😍"),
        ("sunglasses", "😎"),
        ("open_mouth", "😮"),
        ("disappointed", "😞"),
        ("facepalm", "🤦"),
        ("shrug", "🤷"),
        ("point_up", "☝️"),
        ("heavy_plus_sign", "➕"),
    ];
    // A colour of skin stands behind.
    let plain = name.split("::").next().unwrap_or(name);
    SIGNS.iter().find(|(known, _)| *known == plain).map_or_else(|| format!(":{plain}:"), |(_, sign)| (*sign).to_owned())
}

#[cfg(test)]
#[path = "slack_tests.rs"]
mod tests;
