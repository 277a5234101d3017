//! The card host behind a real link, over loopback sockets: what it books, what it repeats, what it gives back, and the bad
//! days that its controls make.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod days;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod money;
