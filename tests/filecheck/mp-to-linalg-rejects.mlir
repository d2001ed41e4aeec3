// RUN: hetc-opt -p mp-to-linalg --verify-diagnostics --split-input-file %s | filecheck %s
// RUN: hetc-opt -p 'mp-to-linalg{partial=true}' --verify-diagnostics --split-input-file %s | filecheck %s --check-prefix PARTIAL

// CHECK: mp-to-linalg: mp.get: a sparse tensor: no upstream op tells whether the element at a computed place is stored
// PARTIAL: func.func @p(%N: index {hetc.name = "N"}, %df: tensor<8xi32> {hetc.name = "df"}) -> tensor<8xi32> {
// PARTIAL-NEXT: func.return %df : tensor<8xi32>
builtin.module {
  mp.pipeline @p {
    mp.dim @N bound 64 : i64
    mp.declare @tf "memory" : <[8, N], ui8, #mp.sparse<#builtin.int<100>>>
    mp.step @p grows {} pins {} {
      %tf = mp.get "tf" : !mp.tensor<[8, N], ui8, #mp.sparse<#builtin.int<100>>>
      %df = mp.compute [#mp.range<v in 8>] {
      ^bb0(%v: index):
        %count = mp.reduce "count" <n in N> {
        ^bb0(%n: index):
          %value, %stored = mp.read_stored %tf[%v, %n] : !mp.tensor<[8, N], ui8, #mp.sparse<#builtin.int<100>>> -> i32, i1
          mp.yield %stored : i1
        } : i32
        mp.yield %count : i32
      } : !mp.tensor<[8], i32>
      mp.output "df", %df as i32 : !mp.tensor<[8], i32>
    } {explicit}
  }
}

// -----

// CHECK: mp-to-linalg: expected explicit presence: run explicit-presence and the expansions first
// PARTIAL: mp-to-linalg: expected explicit presence
builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[8], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[8], f32>
      mp.output "x", %x as f32 : !mp.tensor<[8], f32>
    }
  }
}

// -----

// CHECK: mp-to-linalg: mp.softmax: an operation that is not of the expanded form: it has no lowering to upstream dialects
// PARTIAL: func.func @p(%s: tensor<8xf32> {hetc.name = "s"}, %p: tensor<8xf32> {hetc.name = "p"}) -> tensor<8xf32>
builtin.module {
  mp.pipeline @p {
    mp.declare @s "input" : <[8], f32>
    mp.step @p grows {} pins {} {
      %s = mp.get "s" : !mp.tensor<[8], f32>
      %p = mp.softmax [0 : i64] [#mp.range<t in 8>] {
      ^bb0(%t: index):
        %v = mp.read %s[%t] : !mp.tensor<[8], f32> -> f32
        mp.yield %v : f32
      } : !mp.tensor<[8], f32>
      mp.output "p", %p as f32 : !mp.tensor<[8], f32>
    } {explicit}
  }
}

// -----

// CHECK: mp-to-linalg: expected an output of type bf16, got f32
// PARTIAL: mp-to-linalg: expected an output of type bf16, got f32
builtin.module {
  mp.pipeline @p {
    mp.declare @x "input" : <[8], f32>
    mp.step @p grows {} pins {} {
      %x = mp.get "x" : !mp.tensor<[8], f32>
      mp.output "x", %x as bf16 : !mp.tensor<[8], f32>
    } {explicit}
  }
}

// -----

// CHECK: mp-to-linalg: expected a table of type tensor<2xi32>, got tensor<2xi64>
// PARTIAL: mp-to-linalg: expected a table of type tensor<2xi32>, got tensor<2xi64>
builtin.module {
  mp.pipeline @p {
    mp.step @p grows {} pins {} {
      %x = mp.constant dense<[1, 2]> : tensor<2xi64> -> !mp.tensor<[2], i32>
      mp.output "x", %x as i32 : !mp.tensor<[2], i32>
    } {explicit}
  }
}
