//! The IRC protocol as data: lines, names, capabilities, numerics. Pure, and knows nobody above it.

pub mod line;
