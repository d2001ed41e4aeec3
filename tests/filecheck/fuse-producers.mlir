// RUN: hetc-opt -p fuse-producers %s | filecheck %s

// The exponential moves into its only reader; the bf16 value rounds, so it stays.
// CHECK-LABEL: mp.step
// CHECK:      %x = mp.get "x"
// CHECK-NEXT: %narrow = mp.compute
// CHECK-NEXT: ^bb0(%b: index):
// CHECK-NEXT:   %{{.*}} = mp.read %x[%b]
// CHECK-NEXT:   %{{.*}} = math.exp
// CHECK-NEXT:   %{{.*}} = arith.mulf
// CHECK-NEXT:   mp.yield
// CHECK:      mp.compute
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.declare @x "input" : <[B], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[B], f32>
      %a = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %x[%b] : !mp.tensor<[B], f32> -> f32
        %w = math.exp %v : f32
        mp.yield %w : f32
      } {stage = "prepare", device = "gpu"} : !mp.tensor<[B], f32>
      %narrow = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %a[%b] : !mp.tensor<[B], f32> -> f32
        %w = arith.mulf %v, %v : f32
        mp.yield %w : f32
      } {stage = "prepare", device = "gpu"} : !mp.tensor<[B], bf16>
      %c = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %narrow[%b] : !mp.tensor<[B], bf16> -> f32
        mp.yield %v : f32
      } {stage = "prepare", device = "gpu"} : !mp.tensor<[B], f32>
      mp.output "c", %c as f32 : !mp.tensor<[B], f32>
    }
  }
}
