// RUN: hetc-opt -p lower-to-nest --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: a condition on the yield of mp.compute (run explicit-presence first)
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.step @p grows {} pins {} {
      %all_x = mp.get "x" : !mp.tensor<[B, 32], f32>
      %result = task.kernel @scan on "cpu" stages [] (%all_x) {
      ^bb0(%x: !mp.tensor<[B, 32], f32>):
        %s = mp.compute [#mp.range<b in B>] {
        ^bb0(%b: index):
          %zero = arith.constant 0 : index
          %v = mp.read %x[%b, %zero] : !mp.tensor<[B, 32], f32> -> f32
          %c = arith.cmpf ogt, %v, %v : f32
          mp.yield %v if %c : f32
        } : !mp.tensor<[B], f32>
        task.return %s : !mp.tensor<[B], f32>
      } : (!mp.tensor<[B, 32], f32>) -> !mp.tensor<[B], f32>
    }
  }
}

// -----

// What is on another device is left to it.
// CHECK: task.kernel @scan on "gpu"
// CHECK-NOT: nest.kernel
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 4096 : i64 per "B"
    mp.step @p grows {} pins {} {
      %all_x = mp.get "x" : !mp.tensor<[B, 32], f32>
      %result = task.kernel @scan on "gpu" stages [] (%all_x) {
      ^bb0(%x: !mp.tensor<[B, 32], f32>):
        %s = mp.compute [#mp.range<b in B>] {
        ^bb0(%b: index):
          %zero = arith.constant 0 : index
          %v = mp.read %x[%b, %zero] : !mp.tensor<[B, 32], f32> -> f32
          %c = arith.cmpf ogt, %v, %v : f32
          mp.yield %v if %c : f32
        } : !mp.tensor<[B], f32>
        task.return %s : !mp.tensor<[B], f32>
      } : (!mp.tensor<[B, 32], f32>) -> !mp.tensor<[B], f32>
    }
  }
}
