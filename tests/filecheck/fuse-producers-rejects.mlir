// RUN: hetc-opt -p fuse-producers %s | filecheck %s

// A producer on another device, or read twice, is not moved.
// CHECK-COUNT-3: mp.compute
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.declare @x "input" : <[B], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[B], f32>
      %a = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %x[%b] : !mp.tensor<[B], f32> -> f32
        mp.yield %v : f32
      } {device = "gpu"} : !mp.tensor<[B], f32>
      %d = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %a[%b] : !mp.tensor<[B], f32> -> f32
        mp.yield %v : f32
      } {device = "fpga"} : !mp.tensor<[B], f32>
      %c = mp.compute [#mp.range<b in B>, #mp.range<j in B>] {
      ^bb0(%b: index, %j: index):
        %v = mp.read %d[%b] : !mp.tensor<[B], f32> -> f32
        %w = mp.read %d[%j] : !mp.tensor<[B], f32> -> f32
        %m = arith.mulf %v, %w : f32
        mp.yield %m : f32
      } {device = "fpga"} : !mp.tensor<[B, B], f32>
      mp.output "c", %c as f32 : !mp.tensor<[B, B], f32>
    }
  }
}
