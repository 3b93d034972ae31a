//! A plugin's life
