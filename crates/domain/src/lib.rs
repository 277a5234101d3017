//! What a PIN is and when it may be spent: pure values and the card's state machine
