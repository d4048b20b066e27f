//! Tests of the whole: the real programs, spoken to from outside.
