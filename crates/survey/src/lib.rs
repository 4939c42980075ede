//! Households, checks and their history: the domain of Ruhu, with no I/O.
