//! What a bank has and a newcomer has not: card host, SMSC with handsets, shop
