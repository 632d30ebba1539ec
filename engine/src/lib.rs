//! From rule files and known digests to a plan, and the plan to results.
