// RUN: hetc-opt -p expand-quantize --verify-diagnostics %s | filecheck %s

// CHECK: expand-quantize: expected values of at most 8 bits, got bf16
builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[4, 40], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[4, 40], f32>
      %q, %s = mp.quantize %x 1 : i64 "pow2" 0.0001 : f64 : !mp.tensor<[4, 40], f32> -> !mp.tensor<[4, 40], bf16>, !mp.tensor<[4], f32>
    }
  }
}
