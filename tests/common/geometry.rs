//! Convolutions with difficult sizes for tiles, phases and vectors.

use shadegrad::ops::ConvSpec;
use shadegrad::shape::{Padding, Window};

/// A convolution of [n, h, w, inputs] to `outputs` channels.
#[derive(Clone, Copy, Debug)]
pub struct ConvCase {
    pub name: &'static str,
    pub x: [usize; 4],
    pub outputs: usize,
    pub spec: ConvSpec,
}

/// Arguments in the order of the table below.
type Row = (&'static str, [usize; 4], usize, [usize; 2], [usize; 2], [usize; 4], [usize; 2], usize);

/// All convolutions. Padding is top, left, bottom, right.
pub fn conv_cases() -> Vec<ConvCase> {
    let table: &[Row] = &[
        ("3x3", [2, 7, 9, 5], 7, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_width47", [1, 3, 47, 3], 5, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_many_tiles", [1, 12, 11, 33], 70, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_split_sum", [3, 19, 17, 6], 5, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_s2_odd", [2, 9, 7, 5], 7, [3, 3], [2, 2], [1; 4], [1, 1], 1),
        ("3x3_s2_even", [2, 8, 6, 5], 3, [3, 3], [2, 2], [1; 4], [1, 1], 1),
        ("3x3_s3", [1, 11, 10, 4], 6, [3, 3], [3, 3], [1; 4], [1, 1], 1),
        ("7x7_s2_rgb", [2, 15, 17, 3], 5, [7, 7], [2, 2], [3; 4], [1, 1], 1),
        ("1x1", [2, 5, 3, 13], 7, [1, 1], [1, 1], [0; 4], [1, 1], 1),
        ("1x1_map1x1", [3, 1, 1, 13], 9, [1, 1], [1, 1], [0; 4], [1, 1], 1),
        ("1x1_s2", [3, 7, 8, 7], 13, [1, 1], [2, 2], [0; 4], [1, 1], 1),
        ("3x3_map1x1", [3, 1, 1, 13], 5, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_s2_map1x1", [3, 1, 1, 13], 5, [3, 3], [2, 2], [1; 4], [1, 1], 1),
        ("1x1_s3_map1x2", [2, 1, 2, 5], 7, [1, 1], [3, 3], [0; 4], [1, 1], 1),
        ("asymmetric", [2, 7, 6, 3], 5, [3, 3], [1, 1], [0, 1, 2, 3], [1, 1], 1),
        ("asymmetric_s2", [2, 7, 8, 3], 5, [4, 4], [2, 2], [1, 2, 3, 0], [1, 1], 1),
        ("dilation2", [2, 9, 7, 3], 5, [3, 3], [1, 1], [2; 4], [2, 2], 1),
        ("dilation2_s2", [1, 11, 12, 5], 3, [3, 3], [2, 2], [2; 4], [2, 2], 1),
        ("dilation3x1_s2x3", [1, 13, 10, 5], 3, [3, 2], [2, 3], [3, 0, 1, 1], [3, 1], 1),
        ("2x2_s2", [2, 8, 6, 4], 8, [2, 2], [2, 2], [0; 4], [1, 1], 1),
        ("2x2_s3_gaps", [2, 10, 9, 3], 5, [2, 2], [3, 3], [0; 4], [1, 1], 1),
        ("unused_border_s4", [1, 8, 6, 3], 5, [3, 3], [4, 4], [0; 4], [1, 1], 1),
        ("groups2_aligned", [2, 5, 7, 8], 8, [3, 3], [1, 1], [1; 4], [1, 1], 2),
        ("groups3_unaligned_s2", [2, 7, 5, 6], 9, [3, 3], [2, 2], [1; 4], [1, 1], 3),
        ("depthwise", [2, 7, 6, 5], 5, [3, 3], [1, 1], [1; 4], [1, 1], 5),
        ("depthwise_x2_s2", [1, 6, 7, 3], 6, [3, 3], [2, 2], [1; 4], [1, 1], 3),
        ("5x3_s2x1", [2, 11, 7, 3], 5, [5, 3], [2, 1], [2, 1, 2, 1], [1, 1], 1),
        ("1x5_rectangular", [1, 3, 9, 5], 3, [1, 5], [1, 1], [0, 2, 0, 2], [1, 1], 1),
        // Channels that fill vectors of the CPU. Enough 4×4 tiles for Winograd, whole and partial, in blocks of both
        // sizes.
        ("3x3_vectors", [2, 19, 18, 80], 96, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_vectors_asymmetric", [5, 12, 11, 16], 32, [3, 3], [1, 1], [0, 1, 2, 3], [1, 1], 1),
        ("3x3_vectors_valid", [1, 30, 23, 32], 16, [3, 3], [1, 1], [0; 4], [1, 1], 1),
        ("3x3_vectors_two_blocks", [10, 7, 7, 48], 32, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_vectors_kept_kernel", [9, 16, 16, 16], 16, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_vectors_wide_padding", [4, 15, 14, 16], 32, [3, 3], [1, 1], [3, 4, 0, 1], [1, 1], 1),
        ("3x3_vectors_map4x4", [19, 4, 4, 48], 32, [3, 3], [1, 1], [1; 4], [1, 1], 1),
        ("3x3_s2_vectors", [2, 9, 11, 32], 48, [3, 3], [2, 2], [1; 4], [1, 1], 1),
        ("4x4_whole_map", [2, 4, 4, 5], 7, [4, 4], [1, 1], [0; 4], [1, 1], 1),
    ];
    table.iter().map(|&row| conv_case(row)).collect()
}

fn conv_case((name, x, outputs, kernel_size, stride, [top, left, bottom, right], dilation, groups): Row) -> ConvCase {
    let padding = Padding { top, left, bottom, right };
    let window = Window { kernel_size, stride, padding, dilation, ceil_mode: false };
    ConvCase { name, x, outputs, spec: ConvSpec { window, groups } }
}

/// A pooling window.
#[derive(Clone, Copy, Debug)]
pub struct PoolCase {
    pub name: &'static str,
    pub x: [usize; 4],
    pub window: Window,
}

/// Pooling windows that overlap, have gaps, one-sided padding or dilation, or are rounded up.
pub fn pool_cases() -> Vec<PoolCase> {
    let square = |size, stride, padding| Window::square(size).stride(stride).padding(padding);
    let pads = Padding { top: 0, left: 1, bottom: 2, right: 1 };
    vec![
        PoolCase { name: "3x3_s2_p1", x: [2, 9, 7, 5], window: square(3, 2, 1) },
        PoolCase { name: "2x2_s2", x: [2, 7, 8, 3], window: square(2, 2, 0) },
        PoolCase { name: "2x2_s2_ceil", x: [2, 7, 9, 3], window: Window { ceil_mode: true, ..square(2, 2, 0) } },
        PoolCase { name: "3x3_s1", x: [1, 5, 6, 7], window: square(3, 1, 1) },
        PoolCase {
            name: "width47",
            x: [1, 5, 47, 3],
            window: Window { kernel_size: [3, 2], stride: [1, 2], ..square(2, 2, 0) },
        },
        PoolCase { name: "dilation2", x: [1, 9, 8, 5], window: Window { dilation: [2, 2], ..square(3, 2, 1) } },
        PoolCase { name: "asymmetric", x: [2, 6, 7, 3], window: Window { padding: pads, ..square(3, 2, 0) } },
        PoolCase { name: "2x2_s3_gaps", x: [2, 8, 7, 5], window: square(2, 3, 0) },
        PoolCase { name: "map1x1", x: [3, 1, 1, 13], window: square(3, 2, 1) },
    ]
}
