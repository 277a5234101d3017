//! Links and listeners over real loopback sockets, each also against a peer that the test plays by hand.

#[cfg(test)]
mod answering;
#[cfg(test)]
mod asking;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod loopback;
#[cfg(test)]
mod room;
#[cfg(test)]
mod watching;
