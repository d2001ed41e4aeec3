// RUN: hetc-opt -p index-width %s | filecheck %s

builtin.module {
  mp.pipeline @p {
    mp.dim @N bound 16 : i64
    mp.declare @x "input" : <[N], f32>
    mp.declare @at "input" : <[N], i32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[N], f32>
      %at = mp.get "at" : !mp.tensor<[N], i32>

      // 15 * 32768 * 65536 takes more than 32 bits: it is computed and tested in 64, and cut where it is known to lie
      // within the tensor.
      // CHECK:      %far = mp.compute
      // CHECK-NEXT: ^bb0
      // CHECK:        [[N:%.*]] = arith.index_cast %{{n.*}} : index to i64
      // CHECK:        [[P:%.*]] = arith.muli [[N]], %{{.*}} : i64
      // CHECK:        [[SIZE:%.*]] = arith.index_cast %{{.*}} : index to i64
      // CHECK:        [[IN:%.*]] = arith.cmpi slt, [[P]], [[SIZE]] : i64
      // CHECK:        [[AT:%.*]] = arith.index_cast [[P]] : i64 to index
      // CHECK:        mp.read %x[[[AT]]] if [[IN]]
      %far = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %stride = arith.constant 2147483648 : index
        %place = arith.muli %n, %stride : index
        %size = mp.dim_size "N" : index
        %in = arith.cmpi slt, %place, %size : index
        %v = mp.read %x[%place] if %in : !mp.tensor<[N], f32> -> f32
        %zero = arith.constant 0.0 : f32
        %r = arith.select %in, %v, %zero : f32
        mp.yield %r : f32
      } : !mp.tensor<[N], f32>

      // What 32 bits hold stays as it is.
      // CHECK:      %near = mp.compute
      // CHECK-NEXT: ^bb0
      // CHECK-NEXT:   [[STRIDE:%.*]] = arith.constant 7 : index
      // CHECK-NEXT:   arith.muli %{{n.*}}, [[STRIDE]] : index
      %near = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %stride = arith.constant 7 : index
        %place = arith.muli %n, %stride : index
        mp.yield %place : index
      } : !mp.tensor<[N], index>

      // A tensor of indices of 64 bits becomes one of i64, and so does what reads it.
      // CHECK:      %sums = mp.compute
      // CHECK:        [[I:%.*]] = arith.index_cast %{{.*}} : i32 to index
      // CHECK:        [[A:%.*]] = arith.index_cast [[I]] : index to i64
      // CHECK:        [[S:%.*]] = arith.addi [[A]], %{{.*}} : i64
      // CHECK:        mp.yield [[S]] : i64
      // CHECK-NEXT: } : !mp.tensor<[N], i64>
      // CHECK:      %more = mp.compute
      // CHECK:        [[R:%.*]] = mp.read %sums[%{{.*}}] : !mp.tensor<[N], i64> -> i64
      // CHECK:        arith.cmpi sge, [[R]], %{{.*}} : i64
      %sums = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %a = mp.read %at[%n] : !mp.tensor<[N], i32> -> i32
        %i = arith.index_cast %a : i32 to index
        %s = arith.addi %i, %n : index
        mp.yield %s : index
      } : !mp.tensor<[N], !mp.index64>
      %more = mp.compute [#mp.range<n in N>] {
      ^bb0(%n: index):
        %s = mp.read %sums[%n] : !mp.tensor<[N], !mp.index64> -> index
        %zero = arith.constant 0 : index
        %c = arith.cmpi sge, %s, %zero : index
        mp.yield %c : i1
      } : !mp.tensor<[N], i1>
      // CHECK:      mp.output "sums", %sums as i64
      mp.output "sums", %sums as !mp.index64 : !mp.tensor<[N], !mp.index64>
    }
  }
}
