//! The model as a picture: conversations at the left, the messages, a status line, the text being written. Pure: it draws
//! into a frame and changes nothing.

mod overlays;
mod writing;

use ratatui::Frame;
use ratatui::buffer::Buffer as Cells;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};

use super::buffer::{Buffer, Scroll};
use super::layout::{Look, Row, Shape, cut, width};
use super::model::{Conn, Key, Model};
use super::palette::Palette;
use crate::client::settings::Level;
use crate::client::show::day_in_short;
use crate::client::text::{clean, key};
use overlays::draw_overlay;
use writing::{draw_editor, editor_rows};

/// Below these widths there is no list of conversations, and no list of members.
const WIDE_ENOUGH_FOR_LIST: u16 = 60;
const WIDE_ENOUGH_FOR_MEMBERS: u16 = 50;
/// Below this width a hint takes the room of the server's name.
const WIDE_ENOUGH_FOR_BOTH: u16 = 110;
/// From this width on the list of conversations shows numbers.
const WIDE_ENOUGH_FOR_NUMBERS: u16 = 22;
const EDITOR_ROWS_MAX: usize = 8;
/// A left-to-right mark: keeps what is written from right to left from pulling its neighbours over the border.
const LRM: char = '\u{200e}';

/// Where things were drawn, for the mouse.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Areas {
    list: Rect,
    listed: Vec<Option<Key>>,
    messages: Rect,
    rows: Vec<u64>,
    /// The way back to the newest message.
    end: Rect,
}

impl Areas {
    pub fn conversation_at(&self, column: u16, row: u16) -> Option<Key> {
        let inside = self.list.contains(Position::new(column, row));
        self.listed.get(usize::from(row.checked_sub(self.list.y)?)).filter(|_| inside)?.clone()
    }

    pub fn is_end(&self, column: u16, row: u16) -> bool {
        self.end.contains(Position::new(column, row))
    }

    pub fn line_at(&self, column: u16, row: u16) -> Option<u64> {
        let inside = self.messages.contains(Position::new(column, row));
        self.rows.get(usize::from(row.checked_sub(self.messages.y)?)).filter(|_| inside).copied()
    }
}

/// How the screen is divided.
struct Split {
    top: Rect,
    list: Rect,
    messages: Rect,
    members: Rect,
    status: Rect,
    editor: Rect,
}

/// The size of the part with the messages on a screen of this size.
pub fn message_size(model: &Model, screen: Rect) -> (usize, usize) {
    let messages = split(model, screen).messages;
    (usize::from(messages.width), usize::from(messages.height))
}

pub fn draw(model: &Model, frame: &mut Frame) -> Areas {
    let palette = Palette { colours: model.settings.colours };
    let parts = split(model, frame.area());
    let cells = frame.buffer_mut();
    draw_top(model, palette, parts.top, cells);
    let listed = draw_list(model, palette, parts.list, cells);
    let rows = draw_messages(model, palette, parts.messages, cells);
    draw_members(model, palette, parts.members, cells);
    let end = draw_status(model, palette, parts.status, cells);
    let cursor = draw_editor(model, palette, parts.editor, cells);
    let cursor = draw_overlay(model, palette, frame.area(), frame.buffer_mut(), cursor);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
    Areas { list: parts.list, listed, messages: parts.messages, rows, end }
}

fn split(model: &Model, area: Rect) -> Split {
    let list_width = match area.width {
        _ if model.bare => 0,
        0..WIDE_ENOUGH_FOR_LIST => 0,
        WIDE_ENOUGH_FOR_LIST..=100 => 17,
        101..=160 => 22,
        _ => 28,
    };
    let editor_rows = editor_rows(model, usize::from(area.width)).0.len().clamp(1, EDITOR_ROWS_MAX);
    let editor_rows = u16::try_from(editor_rows).unwrap_or(1).min(area.height.saturating_sub(3).max(1));
    let top_rows = u16::from(area.height > 4);
    let status_rows = u16::from(area.height > 2);
    let body_height = area.height.saturating_sub(top_rows + status_rows + editor_rows);
    let body = Rect { x: area.x, y: area.y + top_rows, width: area.width, height: body_height };
    let list = Rect { width: list_width, ..body };
    // One column for the border.
    let left = if list_width > 0 { list_width + 1 } else { 0 };
    let rest = body.width - left.min(body.width);
    let members_shown = model.members_shown && !model.bare && model.buffer().is_some_and(|buffer| buffer.is_room);
    let members_width = if members_shown && rest >= WIDE_ENOUGH_FOR_MEMBERS { (rest / 4).clamp(14, 22) } else { 0 };
    let border = u16::from(members_width > 0);
    let messages = Rect { x: body.x + left, width: rest - members_width - border, ..body };
    let members = Rect { x: body.x + body.width - members_width, width: members_width, ..body };
    let top = Rect { height: top_rows, ..area };
    let status = Rect { y: body.y + body.height, height: status_rows, ..area };
    let editor = Rect { y: status.y + status_rows, height: editor_rows, ..area };
    Split { top, list, messages, members, status, editor }
}

fn put(cells: &mut Cells, x: u16, y: u16, text: &str, columns: usize, style: Style) -> u16 {
    if columns == 0 || !cells.area.contains(Position::new(x, y)) {
        return x;
    }
    cells.set_stringn(x, y, text, columns, style).0
}

fn fill(cells: &mut Cells, area: Rect, style: Style) {
    for y in area.top()..area.bottom() {
        put(cells, area.x, y, &" ".repeat(usize::from(area.width)), usize::from(area.width), style);
    }
}

fn border(cells: &mut Cells, x: u16, area: Rect, palette: Palette) {
    for y in area.top()..area.bottom() {
        if let Some(cell) = cells.cell_mut(Position::new(x, y)) {
            cell.set_symbol(&format!("│{LRM}")).set_style(palette.quiet());
        }
    }
}

fn draw_top(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) {
    if area.height == 0 {
        return;
    }
    fill(cells, area, palette.bar());
    let columns = usize::from(area.width);
    let Some(buffer) = model.buffer() else {
        put(cells, area.x, area.y, &format!(" {}", model.place), columns, palette.bar());
        return;
    };
    let right = match buffer.is_room {
        true if !buffer.joined => " not in this room ".to_owned(),
        true => format!(" {} here ", buffer.members.len()),
        false => match (buffer.here, &buffer.away) {
            (Some(false), _) => " offline ".to_owned(),
            (_, Some(why)) if why.is_empty() => " away ".to_owned(),
            (_, Some(why)) => format!(" away: {} ", cut(why, 30)),
            (Some(true), None) => " here ".to_owned(),
            (None, None) => String::new(),
        },
    };
    let room = columns.saturating_sub(width(&right));
    let name = cut(&format!(" {}  ", buffer.name), room);
    let at = put(cells, area.x, area.y, &name, room, palette.bar().add_modifier(Modifier::BOLD));
    let left = room.saturating_sub(usize::from(at - area.x));
    put(cells, at, area.y, &cut(&buffer.topic, left), left, palette.bar());
    put(cells, area.x + area.width - width(&right).min(columns) as u16, area.y, &right, columns, palette.bar());
}

fn draw_list(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) -> Vec<Option<Key>> {
    if area.width == 0 {
        return Vec::new();
    }
    border(cells, area.x + area.width, area, palette);
    let mut entries: Vec<(Option<&Key>, &Buffer)> = Vec::new();
    let mut heading_at = None;
    for (of, buffer) in &model.buffers {
        if of.0 && heading_at.is_none() {
            heading_at = Some(entries.len());
        }
        entries.push((Some(of), buffer));
    }
    // A blank row stands between rooms and persons.
    let mut rows: Vec<Option<(&Key, &Buffer)>> = Vec::new();
    for (at, (of, buffer)) in entries.into_iter().enumerate() {
        if heading_at == Some(at) && at > 0 {
            rows.push(None);
        }
        rows.extend(of.map(|of| Some((of, buffer))));
    }
    let height = usize::from(area.height);
    let current = rows.iter().position(|row| row.is_some_and(|(of, _)| model.is_current(of))).unwrap_or(0);
    let skip = if rows.len() > height { current.saturating_sub(height / 2).min(rows.len() - height) } else { 0 };
    // Where there is room, with the number of the key that goes there.
    let numbered = area.width >= WIDE_ENOUGH_FOR_NUMBERS;
    let numbers: Vec<&Key> = model.buffers.keys().take(9).collect();
    let mut listed = Vec::new();
    for (y, row) in (area.top()..area.bottom()).zip(rows.into_iter().skip(skip)) {
        listed.push(row.map(|(of, _)| of.clone()));
        let Some((of, buffer)) = row else { continue };
        let more = if buffer.uncounted { "+" } else { "" };
        let count = match (buffer.unread, buffer.mentions) {
            (0, _) => String::new(),
            (unread, 0) => format!("{unread}{more} "),
            (unread, mentions) if unread == mentions => format!("{unread}{more}! "),
            (unread, mentions) => format!("{unread}{more} {mentions}! "),
        };
        let columns = usize::from(area.width);
        let silent = model.level_of(buffer) == Level::None;
        let style = match () {
            () if model.is_current(of) => palette.chosen(),
            () if !buffer.joined || silent => palette.quiet(),
            () if buffer.mentions > 0 || (of.0 && buffer.unread > 0) => palette.alarm(),
            () if buffer.unread > 0 => Style::new().add_modifier(Modifier::BOLD),
            () if buffer.here == Some(false) => palette.quiet(),
            () => Style::new(),
        };
        put(cells, area.x, y, &" ".repeat(columns), columns, style);
        let number = numbers.iter().position(|known| *known == of).map(|at| (at + 1).to_string());
        let lead = match numbered {
            true => format!("{} ", number.unwrap_or_else(|| " ".to_owned())),
            false => " ".to_owned(),
        };
        let room = columns.saturating_sub(width(&count) + lead.len());
        let at = put(cells, area.x, y, &lead, columns, style.add_modifier(Modifier::DIM));
        put(cells, at, y, &cut(&buffer.name, room), room, style);
        put(cells, area.x + area.width - width(&count) as u16, y, &count, columns, style);
    }
    listed
}

fn draw_messages(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) -> Vec<u64> {
    let Some(flow) = model.flow() else {
        put(
            cells,
            area.x + 1,
            area.y,
            "You are in no room yet: /join ROOM, /list",
            usize::from(area.width),
            palette.quiet(),
        );
        return Vec::new();
    };
    let rows = flow.visible();
    let blank = usize::from(area.height).saturating_sub(rows.len());
    if blank > 0 && model.loading() {
        let y = area.y + blank as u16 - 1;
        put(cells, area.x + 1, y, "… earlier messages are coming", usize::from(area.width), palette.quiet());
    }
    let mut ids = vec![0; blank];
    for (y, row) in (area.y + blank as u16..area.bottom()).zip(&rows) {
        draw_row(model, palette, row, flow.shape, Rect { y, height: 1, ..area }, cells);
        ids.push(row.id);
    }
    ids
}

/// Where one is in the past, and the way back; nothing at the newest message.
fn whereabouts(model: &Model) -> Option<String> {
    let flow = model.flow()?;
    let buffer = flow.buffer;
    let aside = !buffer.live && !buffer.catching_up && !buffer.lines().is_empty();
    if buffer.scroll == Scroll::Bottom && !aside {
        return None;
    }
    if model.loading() {
        return Some(" loading … ".to_owned());
    }
    let at = flow.visible().first().and_then(|row| buffer.line(row.id)).map(|line| line.at);
    let day = at.map(|at| format!("{} ", day_in_short(flow.shape.zone.day(at)))).unwrap_or_default();
    Some(format!(" {day}▼ End "))
}

fn draw_row(model: &Model, palette: Palette, row: &Row, shape: Shape, area: Rect, cells: &mut Cells) {
    let columns = usize::from(area.width);
    let style = palette.text(row.look);
    match row.look {
        Look::Date | Look::Unread => {
            let text = format!(" {} ", row.text);
            let left = columns.saturating_sub(width(&text)) / 2;
            let right = columns.saturating_sub(left + width(&text));
            let line = format!("{}{text}{}", "─".repeat(left), "─".repeat(right));
            put(cells, area.x, area.y, &line, columns, style);
            return;
        }
        _ => {}
    }
    put(cells, area.x, area.y, &row.time, shape.time_width(), palette.quiet());
    let name_at = area.x + shape.time_width() as u16 + 1;
    let name_style = match row.look {
        look if look.is_spoken() => palette.name(&row.name),
        _ => style,
    };
    let pad = shape.name_width.saturating_sub(width(&row.name));
    put(cells, name_at + pad as u16, area.y, &row.name, shape.name_width, name_style);
    let text_at = area.x + shape.text_at() as u16;
    if let Some(cell) = cells.cell_mut(Position::new(text_at.saturating_sub(1), area.y))
        && !row.text.is_ascii()
    {
        cell.set_symbol(&format!(" {LRM}"));
    }
    put(cells, text_at, area.y, &row.text, columns.saturating_sub(shape.text_at()), style);
    if row.look == Look::Mention && !model.nick.is_empty() {
        for word in std::iter::once(&model.nick).chain(&model.settings.words) {
            highlight(cells, text_at, area.y, &row.text, word, palette.alarm());
        }
    }
    if let Some(found) = &model.found
        && row.look.is_spoken()
    {
        for word in found.words.split_whitespace() {
            highlight(cells, text_at, area.y, &row.text, word, palette.hit());
        }
    }
    if model.buffer().and_then(|buffer| buffer.selected) == Some(row.id) {
        cells.set_style(area, palette.chosen());
    }
}

/// Styles where `word` stands in a text that was put there.
fn highlight(cells: &mut Cells, x: u16, y: u16, text: &str, word: &str, style: Style) {
    let (low, word) = (key(text), key(word));
    // Where small and large letters have different lengths, places would be wrong: then not at all.
    if word.is_empty() || low.len() != text.len() {
        return;
    }
    for (at, found) in low.match_indices(&word) {
        if text.is_char_boundary(at) && text.is_char_boundary(at + found.len()) {
            let from = x + width(&text[..at]) as u16;
            let area = Rect { x: from, y, width: width(&text[at..at + found.len()]) as u16, height: 1 };
            cells.set_style(area.intersection(cells.area), style);
        }
    }
}

fn draw_members(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) {
    let (true, Some(buffer)) = (area.width > 0, model.buffer()) else { return };
    border(cells, area.x - 1, area, palette);
    let rank = |prefix: &str| "~&@%+".find(|c| prefix.starts_with(c)).unwrap_or(9);
    let mut members: Vec<_> = buffer.members.values().collect();
    members.sort_by_key(|member| (rank(&member.prefix), key(&member.nick)));
    let height = usize::from(area.height);
    let shown = if members.len() > height { height.saturating_sub(1) } else { members.len() };
    for (y, member) in (area.top()..area.bottom()).zip(&members[..shown]) {
        let sign = member.prefix.chars().next().unwrap_or(' ');
        put(cells, area.x, y, &sign.to_string(), 1, palette.quiet());
        let style = if member.away { palette.quiet() } else { palette.name(&member.nick) };
        let room = usize::from(area.width) - 1;
        put(cells, area.x + 1, y, &cut(&member.nick, room), room, style);
    }
    if members.len() > shown && area.height > 0 {
        let text = format!(" and {} more", members.len() - shown);
        put(cells, area.x, area.bottom() - 1, &text, usize::from(area.width), palette.quiet());
    }
}

/// Gives back where the way to the newest message is.
fn draw_status(model: &Model, palette: Palette, area: Rect, cells: &mut Cells) -> Rect {
    if area.height == 0 {
        return Rect::default();
    }
    let columns = usize::from(area.width);
    put(cells, area.x, area.y, &"─".repeat(columns), columns, palette.quiet());
    let mut parts: Vec<(String, Style)> = Vec::new();
    match &model.conn {
        Conn::Up => {
            let lag = model.lag.map(|lag| format!(" {lag} ms")).unwrap_or_default();
            // What is told for a moment matters more than what stands there always.
            let short = model.hint.is_some() && area.width < WIDE_ENOUGH_FOR_BOTH;
            let who =
                if short { format!("● {}", model.nick) } else { format!("● {}@{}{lag}", model.nick, model.place) };
            parts.push((who, Style::new()));
            // One that is just on its way is not worth a word.
            if model.queue.open() > 1 {
                parts.push((format!("{} to be sent", model.queue.open()), palette.alarm()));
            }
        }
        Conn::Down { why, again } => {
            let again = match again {
                Some(_) => "; trying again (Ctrl-R: now)",
                None => "; connecting …",
            };
            // Before the reason, which may be longer than the line.
            let waiting = match model.queue.open() {
                0 => String::new(),
                open => format!("{open} to be sent; "),
            };
            parts.push((format!("○ {waiting}{why}{again}"), palette.alarm()));
        }
    }
    if let Some((hint, _)) = &model.hint {
        parts.push((clean(hint), palette.accent()));
    } else if let Some(completion) = model.completion.as_ref().filter(|completion| completion.choices.len() > 1) {
        let choices: Vec<&str> = completion.choices.iter().skip(completion.at).take(8).map(|c| c.trim()).collect();
        parts.push((choices.join("  "), palette.accent()));
    } else if let Some(buffer) = model.buffer()
        && let Some(text) = typing(buffer)
    {
        parts.push((text, Style::new()));
    }
    let help = " F1 help ";
    let mut at = put(cells, area.x, area.y, "─", columns, palette.quiet());
    let end = area.right().saturating_sub(width(help) as u16 + 1);
    let back = whereabouts(model).unwrap_or_default();
    let back_width = (width(&back) as u16).min(area.width);
    let back_at = end.saturating_sub(back_width + u16::from(back_width > 0)).max(area.x);
    let parts_end = if back_width > 0 { back_at } else { end };
    for (text, style) in parts {
        let room = usize::from(parts_end.saturating_sub(at));
        at = put(cells, at, area.y, &cut(&format!(" {text} "), room), room, style);
        at = put(cells, at, area.y, "─", usize::from(parts_end.saturating_sub(at)), palette.quiet());
    }
    put(cells, back_at, area.y, &back, usize::from(back_width), palette.bar());
    put(cells, end.max(area.x), area.y, help, columns, palette.quiet());
    Rect { x: back_at, width: back_width, ..area }
}

fn typing(buffer: &Buffer) -> Option<String> {
    let names: Vec<&str> = buffer.typing.iter().map(|(who, _)| who.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("{one} is typing …")),
        [one, other] => Some(format!("{one} and {other} are typing …")),
        many => Some(format!("{} people are typing …", many.len())),
    }
}
