//! Drives the gateway from outside; demo services; hostile plugins
