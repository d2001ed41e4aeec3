// RUN: hetc-opt -p remove-unused %s | filecheck %s

// A chain that ends in nothing goes, from its end; what feeds an output stays.
// CHECK:      %x = mp.get "x"
// CHECK-NEXT: %kept = mp.compute
// CHECK-NOT:  mp.compute
// CHECK:      mp.output "kept", %kept
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 4 : i64
    mp.declare @x "input" : <[B], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[B], f32>
      %first = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %x[%b] : !mp.tensor<[B], f32> -> f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[B], f32>
      %second = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %first[%b] : !mp.tensor<[B], f32> -> f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[B], f32>
      %kept = mp.compute [#mp.range<b in B>] {
      ^bb0(%b: index):
        %v = mp.read %x[%b] : !mp.tensor<[B], f32> -> f32
        mp.yield %v : f32
      } {stage = "prepare"} : !mp.tensor<[B], f32>
      mp.output "kept", %kept as f32 : !mp.tensor<[B], f32>
    }
  }
}
