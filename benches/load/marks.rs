//! What a line carries: its sender, its number and the moment it was sent, so that whoever reads it knows whether one is
//! missing and how long it took.

use std::time::Instant;

/// Bytes of a message's text; with the command around it a line of 118 bytes.
const TEXT: usize = 100;
/// `^` and three numbers of 8 hexadecimal digits: sender, number, microseconds.
const MARK_LEN: usize = 1 + 8 + 8 + 8;
/// No server writes this into a line of its own accord.
const MARK: u8 = b'^';

/// A message that is sent now.
pub fn line(room: &str, sender: usize, n: usize, epoch: Instant) -> String {
    let micros = epoch.elapsed().as_micros() as u32;
    let mark = format!("^{sender:08x}{n:08x}{micros:08x}");
    format!("PRIVMSG {room} :{mark:x<TEXT$}\r\n")
}

/// Takes sender, number and moment of each mark out of what was read; what may be the beginning of one stays.
pub fn take(input: &mut Vec<u8>, mut each: impl FnMut(u32, u32, u32)) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(MARK, &input[at..]) {
        let mark = at + found;
        let Some(digits) = input.get(mark + 1..mark + MARK_LEN) else { break };
        let number = |from: usize| {
            let text = std::str::from_utf8(&digits[from..from + 8]).unwrap_or_default();
            u32::from_str_radix(text, 16).unwrap_or(u32::MAX)
        };
        each(number(0), number(8), number(16));
        at = mark + MARK_LEN;
    }
    let keep = memchr::memchr(MARK, &input[at..]).map_or(input.len(), |found| at + found);
    input.drain(..keep);
}
