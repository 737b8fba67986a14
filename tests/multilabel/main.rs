//! What multi-label classification promises: its scores are scikit-learn's, it learns the built-in scenes, a resumed run
//! has the same bits, and what it learned comes out of `eval`, `predict`, `compare` and ONNX alike.

mod scores;
