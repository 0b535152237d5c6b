//! A bad network inside the process, as arithmetic on byte streams.
