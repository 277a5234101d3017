//! Harim: which bank a card belongs to, who may ask, and the way there
