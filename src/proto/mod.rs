//! The IRC protocol as data: lines, names, capabilities, numerics. Pure, and knows nobody above it.

pub mod caps;
pub mod device;
pub mod isupport;
pub mod line;
pub mod masks;
pub mod modes;
pub mod names;
pub mod numerics;
pub mod sasl;
pub mod tags;
