// Operands of the gradient of a BatchNorm before a convolution. Their bindings follow those of the convolution.
@group(0) @binding(5) var<storage, read> x: array<vec4<T5>>;
@group(0) @binding(6) var<storage, read> mean: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> invstd: array<vec4<f32>>;
@group(0) @binding(8) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(9) var<storage, read> mask: array<vec4<T9>>;
