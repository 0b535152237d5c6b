//! What it means: the validated plan of a run.
