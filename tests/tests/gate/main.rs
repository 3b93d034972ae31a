//! The gateway from outside: the real binary between real servers and clients. Each test is a sentence of law.

mod h1_vectors;
mod h2_vectors;
