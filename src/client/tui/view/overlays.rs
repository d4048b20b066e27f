//! Pictures of what lies over the conversation. Pure.

use ratatui::buffer::Buffer as Cells;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::{highlight, put};
use crate::client::text::clean;
use crate::client::tui::layout::{cut, width, wrap};
use crate::client::tui::model::Model;
use crate::client::tui::overlay::{HELP, Overlay, Pick, Picking, Search};
use crate::client::tui::palette::Palette;

pub(super) fn draw_overlay(
    model: &Model,
    palette: Palette,
    area: Rect,
    cells: &mut Cells,
    cursor: Option<Position>,
) -> Option<Position> {
    match &model.overlay {
        Overlay::None => cursor,
        Overlay::Help { scroll } => {
            draw_help(*scroll, palette, area, cells);
            None
        }
        Overlay::Pick(pick) => Some(draw_pick(pick, palette, area, cells)),
        Overlay::Told { title, lines } => {
            let room = usize::from(area.width).saturating_sub(4).clamp(8, 72);
            let rows: Vec<String> = lines.iter().flat_map(|line| wrap(line, room)).collect();
            let columns = rows.iter().map(|row| width(row)).max().unwrap_or(0).max(width(title) + 2) as u16 + 4;
            let inside = window(cells, area, &clean(title), columns, rows.len() as u16 + 2, palette);
            for (y, row) in (inside.top()..inside.bottom()).zip(&rows) {
                put(cells, inside.x, y, row, inside.width.into(), Style::new());
            }
            cursor
        }
        Overlay::Search(search) => {
            draw_search(model, search, palette, area, cells);
            None
        }
        Overlay::Password { account, password } => {
            let inside = window(cells, area, &format!("Password of {}", clean(account)), 50, 3, palette);
            let dots = "•".repeat(password.chars().count().min(usize::from(inside.width.saturating_sub(1))));
            Some(Position::new(put(cells, inside.x, inside.y, &dots, inside.width.into(), Style::new()), inside.y))
        }
    }
}

fn draw_help(scroll: usize, palette: Palette, area: Rect, cells: &mut Cells) {
    let inside = window(cells, area, "Keys and commands: ↑ ↓ scroll, Esc closes", 78, HELP.len() as u16 + 2, palette);
    let skip = scroll.min(HELP.len().saturating_sub(inside.height.into()));
    let column = 28.min(usize::from(inside.width) / 2);
    for (y, (keys, what)) in (inside.top()..inside.bottom()).zip(&HELP[skip..]) {
        put(cells, inside.x, y, &cut(keys, column - 1), column, palette.accent());
        let room = usize::from(inside.width).saturating_sub(column);
        put(cells, inside.x + column as u16, y, &cut(what, room), room, Style::new());
    }
}

fn draw_pick(pick: &Pick, palette: Palette, area: Rect, cells: &mut Cells) -> Position {
    let title = match pick.picking {
        Picking::Conversation => "Go to",
        Picking::Room => "Rooms: Enter goes in, Esc closes",
        Picking::Reaction(_) => "React with",
    };
    let columns = if matches!(pick.picking, Picking::Room) { 78 } else { 44 };
    let inside = window(cells, area, title, columns, 16, palette);
    let room = usize::from(inside.width);
    let end = put(cells, inside.x, inside.y, &cut(&format!("> {}", pick.filter), room), room, Style::new());
    let choices = pick.choices();
    let at = pick.at.min(choices.len().saturating_sub(1));
    let height = usize::from(inside.height.saturating_sub(1)).max(1);
    let skip = at.saturating_sub(height - 1);
    for (y, (n, (shown, _))) in (inside.y + 1..inside.bottom()).zip(choices.iter().enumerate().skip(skip)) {
        let style = if n == at { palette.chosen() } else { Style::new() };
        put(cells, inside.x, y, &cut(shown, room), room, style);
    }
    if choices.is_empty() && inside.height > 1 {
        let text = if pick.coming { "…" } else { "nothing of that name" };
        put(cells, inside.x, inside.y + 1, text, room, palette.quiet());
    }
    Position::new(end, inside.y)
}

fn draw_search(model: &Model, search: &Search, palette: Palette, area: Rect, cells: &mut Cells) {
    let within = search.within.as_ref().map(|within| format!(" in {within}")).unwrap_or_default();
    let state = match (&search.done, search.query) {
        (Some(done), _) => done.clone(),
        (None, Some(_)) => "searching …".to_owned(),
        (None, None) => "Enter goes there, Esc closes".to_owned(),
    };
    let title = format!("“{}”{within}: {} found; {state}", clean(&search.words), search.hits.len());
    let inside = window(cells, area, &title, area.width, area.height, palette);
    let room = usize::from(inside.width);
    let zone = model.settings.zone;
    // As many rows as a hit takes: where and when, then what, cut to a few rows.
    let mut y = inside.y;
    let skip = search.at.saturating_sub(usize::from(inside.height) / 4);
    for (n, said) in search.hits.iter().enumerate().skip(skip) {
        let rows: Vec<String> =
            said.text.split('\n').flat_map(|line| wrap(line, room.saturating_sub(2))).take(3).collect();
        if usize::from(y) + 1 + rows.len() > usize::from(inside.bottom()) {
            break;
        }
        let from = y;
        let head = format!("{}  {}  ", zone.second(said.at), said.with);
        let at = put(cells, inside.x, y, &cut(&head, room), room, palette.quiet());
        put(
            cells,
            at,
            y,
            &cut(&said.from, 20),
            room.saturating_sub(usize::from(at - inside.x)),
            palette.name(&said.from),
        );
        for row in &rows {
            y += 1;
            put(cells, inside.x + 2, y, row, room, Style::new());
            for word in search.words.split_whitespace() {
                highlight(cells, inside.x + 2, y, row, word, palette.hit());
            }
        }
        y += 1;
        if n == search.at {
            cells.set_style(Rect { x: inside.x, y: from, width: inside.width, height: y - from }, palette.chosen());
        }
    }
}

/// A box in the middle; gives back its inside.
fn window(cells: &mut Cells, area: Rect, title: &str, columns: u16, rows: u16, palette: Palette) -> Rect {
    let (columns, rows) = (columns.min(area.width), rows.min(area.height));
    let (x, y) = (area.x + (area.width - columns) / 2, area.y + (area.height - rows) / 2);
    let outer = Rect { x, y, width: columns, height: rows };
    if columns < 4 || rows < 3 {
        return Rect { width: 0, height: 0, ..outer };
    }
    // Letters of two columns under the edge would stick out.
    for row in outer.top()..outer.bottom() {
        for column in outer.left()..outer.right() {
            if let Some(cell) = cells.cell_mut(Position::new(column, row)) {
                cell.reset();
            }
        }
        if let Some(cell) = outer.left().checked_sub(1).and_then(|left| cells.cell_mut(Position::new(left, row)))
            && width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
    let inner = usize::from(columns) - 2;
    let top = format!("╭{}{}╮", cut(&format!(" {title} "), inner), "─".repeat(inner.saturating_sub(width(title) + 2)));
    put(cells, x, y, &top, columns.into(), palette.accent());
    for row in y + 1..outer.bottom() - 1 {
        put(cells, x, row, "│", 1, palette.accent());
        put(cells, outer.right() - 1, row, "│", 1, palette.accent());
    }
    put(cells, x, outer.bottom() - 1, &format!("╰{}╯", "─".repeat(inner)), columns.into(), palette.accent());
    Rect { x: x + 2, y: y + 1, width: columns - 4, height: rows - 2 }
}
