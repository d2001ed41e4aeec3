// RUN: hetc-opt -p expand-codes --verify-diagnostics %s | filecheck %s

// Two lanes may hold halves of one byte: a row is written whole, or the memory is.
// CHECK: a part of a byte is not written in place
builtin.module {
  mp.pipeline @p {
    mp.declare @m "memory" : <[2, 4], si4>
    mp.declare @x "input" : <[3], si8>
    mp.step @p grows {} pins {} {
      %m = mp.get "m" : !mp.tensor<[2, 4], si4>
      %x = mp.get "x" : !mp.tensor<[3], si8>
      %rows = mp.compute [#mp.range<j in 3>] {
      ^bb0(%j: index):
        %v = mp.read %x[%j] : !mp.tensor<[3], si8> -> i32
        mp.yield %v : i32
      } {stage = "prepare"} : !mp.tensor<[3], si4>
      %places = mp.compute [#mp.range<j in 3>] {
      ^bb0(%j: index):
        %v = mp.read %x[%j] : !mp.tensor<[3], si8> -> i32
        mp.yield %v : i32
      } {stage = "prepare"} : !mp.tensor<[3], i32>
      %m1 = mp.scatter %m, %rows at %places {stage = "prepare"} : !mp.tensor<[2, 4], si4>, !mp.tensor<[3], si4>, !mp.tensor<[3], i32> -> !mp.tensor<[2, 4], si4>
      mp.commit "m", %m1 : !mp.tensor<[2, 4], si4>
    }
  }
}
