//! Colours and looks: readable on dark and on light ground, and without any colour at all. Pure.

use ratatui::style::{Color, Modifier, Style};

use super::layout::Look;
use crate::client::text::key;

/// Middling brightness, so that each stands out on black and on white.
const NAMES: [u8; 14] = [31, 64, 130, 133, 167, 68, 97, 136, 161, 166, 30, 99, 132, 29];
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

    /// A word that was searched for.
    pub fn hit(self) -> Style {
        self.alarm().add_modifier(Modifier::UNDERLINED)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How bright a colour of the cube is (WCAG).
    fn luminance(colour: u8) -> f64 {
        let at = colour - 16;
        let part = |step: u8| {
            let value = f64::from([0u8, 95, 135, 175, 215, 255][usize::from(step)]) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(at / 36) + 0.7152 * part(at / 6 % 6) + 0.0722 * part(at % 6)
    }

    #[test]
    fn every_colour_can_be_read_on_black_and_on_white() {
        for colour in NAMES.into_iter().chain([ACCENT, ALARM]) {
            let light = luminance(colour);
            let (on_black, on_white) = ((light + 0.05) / 0.05, 1.05 / (light + 0.05));
            assert!(on_black >= 3.0 && on_white >= 3.0, "{colour}: {on_black:.1} on black, {on_white:.1} on white");
        }
    }

    #[test]
    fn without_colours_nothing_has_one() {
        let palette = Palette { colours: false };
        for style in [palette.name("bob"), palette.accent(), palette.alarm(), palette.hit(), palette.text(Look::Unread)]
        {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
