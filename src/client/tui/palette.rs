//! Colours and looks: readable on dark and on light ground, and without any colour at all. Pure.

use ratatui::style::{Color, Modifier, Style};

use super::layout::Look;
use crate::client::text::key;

/// Middling brightness, so that each stands out on black and on white.
const NAMES: [u8; 14] = [31, 64, 130, 133, 167, 68, 97, 136, 161, 166, 37, 99, 132, 29];
const ACCENT: u8 = 31;
const ALARM: u8 = 160;

#[derive(Debug, Clone, Copy)]
pub struct Palette {
    pub colours: bool,
}

impl Palette {
    /// The same name always in the same colour, on every day and every machine.
    pub fn name(self, name: &str) -> Style {
        // FNV-1a: small, and the same everywhere.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        let hash = key(name).bytes().fold(2_166_136_261, step);
        self.fg(NAMES[hash as usize % NAMES.len()]).add_modifier(Modifier::BOLD)
    }

    pub fn accent(self) -> Style {
        self.fg(ACCENT).add_modifier(Modifier::BOLD)
    }

    pub fn alarm(self) -> Style {
        self.fg(ALARM).add_modifier(Modifier::BOLD)
    }

    pub fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn bar(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn text(self, look: Look) -> Style {
        match look {
            Look::Said | Look::Own | Look::Action => Style::new(),
            Look::Mention => Style::new().add_modifier(Modifier::BOLD),
            Look::Notice | Look::Reactions => self.fg(ACCENT),
            Look::Pending | Look::Quiet | Look::Quote | Look::Date => self.quiet(),
            Look::Refused => self.quiet().add_modifier(Modifier::CROSSED_OUT),
            Look::Alarm | Look::Unread => self.alarm(),
        }
    }

    fn fg(self, colour: u8) -> Style {
        if self.colours { Style::new().fg(Color::Indexed(colour)) } else { Style::new() }
    }
}
