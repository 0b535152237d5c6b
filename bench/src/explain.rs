//! `clw-bench explain`: an entry of the dictionary, as text.
