//! Tests of the whole: the real programs, spoken to from outside. One module a noun; each says what belongs there.

mod harness;
mod people;
mod registration;
mod replay;
mod rooms;
mod talk;
