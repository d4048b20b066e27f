//! What a room is, and what may happen in it: the state (a fold over the room's events), and `decide`, which turns a
//! wish into events or a refusal. Pure: no clock, no SQL, no numerics, no IO. Knows events, modes and masks.

mod decide;
mod masks;
mod modes;
mod state;

#[cfg(test)]
mod tests;

pub use decide::{Actor, Refusal, Wish, decide, may_rule, may_speak};
pub use masks::{LIST_MAX, Masked, Masks};
pub use modes::{ModeChange, Modes, fold_modes};
pub use state::{Member, RoomState, Topic};
