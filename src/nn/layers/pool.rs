//! Pooling.

use crate::graph::{Graph, GraphError, Value};
use crate::ops;
use crate::shape::{Pair, Window};

/// The largest value of each window.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool2d {
    /// Kernel size, stride, padding, dilation.
    pub window: Window,
}

impl MaxPool2d {
    /// Windows side by side: as in PyTorch, the stride is the kernel size. Sizes are one number or `[rows, columns]`.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        MaxPool2d { window: window(kernel_size) }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.window.stride = stride.into().0;
        self
    }

    /// Sets the padding. It never counts as the largest value.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.window.padding = padding.into().into();
        self
    }

    /// Appends it: `[N,H,W,C]` to `[N,OH,OW,C]`.
    ///
    /// # Errors
    /// When the window does not fit, or the padding is larger than half of it.
    pub fn apply(&self, g: &mut Graph, x: Value) -> Result<Value, GraphError> {
        ops::max_pool(g, x, self.window)
    }
}

/// The mean of each window.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool2d {
    /// Kernel size, stride, padding, dilation.
    pub window: Window,
    /// Whether padding counts, as zeros.
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Windows side by side: as in PyTorch, the stride is the kernel size, and padding counts. Sizes are one number or
    /// `[rows, columns]`.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        AvgPool2d { window: window(kernel_size), count_include_pad: true }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.window.stride = stride.into().0;
        self
    }

    /// Sets the padding.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.window.padding = padding.into().into();
        self
    }

    /// Appends it: `[N,H,W,C]` to `[N,OH,OW,C]`.
    ///
    /// # Errors
    /// When the window does not fit.
    pub fn apply(&self, g: &mut Graph, x: Value) -> Result<Value, GraphError> {
        ops::avg_pool(g, x, self.window, self.count_include_pad)
    }
}

/// The mean of each channel over H and W: PyTorch's `AdaptiveAvgPool2d(1)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GlobalAvgPool2d;

impl GlobalAvgPool2d {
    /// Appends it: `[N,H,W,C]` to `[N,1,1,C]`.
    ///
    /// # Errors
    /// When x has no spatial axes.
    pub fn apply(&self, g: &mut Graph, x: Value) -> Result<Value, GraphError> {
        ops::global_avg_pool(g, x)
    }
}

/// A window whose stride is its size.
fn window(kernel_size: impl Into<Pair>) -> Window {
    let Pair(kernel_size) = kernel_size.into();
    Window { kernel_size, stride: kernel_size, ..Window::square(1) }
}
