// RUN: hetc-opt %s | filecheck %s
// RUN: hetc-opt %s | hetc-opt | filecheck %s

// Attention over the tokens that were picked as the naive lowering writes it: six phases; whether a pick is present is
// worked out again by every reader.

// CHECK-COUNT-6: nest.phase
// CHECK-NOT: nest.phase
builtin.module {
  mp.pipeline @p {
    mp.dim @B bound 64 : i64
    mp.dim @T bound 1048576 : i64 per "B"
  }
  nest.kernel @apply task "apply" on "cpu" arguments [] scratch [] {
  ^bb0(%picked: !mp.tensor<[B, 2048], i32>, %qa: !mp.tensor<[B, 128, 512], f32>, %kv: !mp.tensor<[B, T, 576], bf16>, %qp: !mp.tensor<[B, 128, 64], bf16>, %ol: !nest.buf<[B, 128, 512] x f32, global>):
    %a = nest.buffer "a" : !nest.buf<[B, 128, 2048] x f32, global>
    %value = nest.buffer "value" : !nest.buf<[B, 128, 2048] x f32, global>
    %value_1 = nest.buffer "value" : !nest.buf<[B, 128] x f32, global>
    %value_2 = nest.buffer "value" : !nest.buf<[B, 128] x f32, global>
    %p = nest.buffer "p" : !nest.buf<[B, 128, 2048] x f32, global>
    nest.phase {
      %0 = mp.dim_size "B" : index
      %1 = arith.constant 0 : index
      nest.for %1 to %0 step 1 : i64 most 64 : i64 {
      ^bb0(%b: index):
        %2 = arith.constant 128 : index
        %3 = arith.constant 0 : index
        nest.for %3 to %2 step 1 : i64 most 128 : i64 {
        ^bb0(%g: index):
          %4 = arith.constant 2048 : index
          %5 = arith.constant 0 : index
          nest.for %5 to %4 step 1 : i64 most 2048 : i64 {
          ^bb0(%j: index):
            %6 = arith.constant 0 : index
            %7 = mp.dim_size "T" per %b : index
            %8 = nest.read %picked[%b, %j] : !mp.tensor<[B, 2048], i32> -> i32
            %9 = arith.index_cast %8 : i32 to index
            %10 = arith.cmpi sge, %9, %6 : index
            %11 = arith.cmpi slt, %9, %7 : index
            %12 = arith.andi %10, %11 : i1
            %sum_v = nest.acc "sum_v" : !nest.acc<[] of sum<f32>, reg>
            %13 = arith.constant 512 : index
            %14 = arith.constant 0 : index
            nest.for %14 to %13 step 1 : i64 most 512 : i64 {
            ^bb0(%v: index):
              %15 = nest.read %qa[%b, %g, %v] : !mp.tensor<[B, 128, 512], f32> -> f32
              %16 = nest.read %kv[%b, %9, %v] if %12 : !mp.tensor<[B, T, 576], bf16> -> f32
              %17 = arith.mulf %15, %16 : f32
              nest.fold %17 into %sum_v[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %18 = nest.finish %sum_v[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %sum_r = nest.acc "sum_r" : !nest.acc<[] of sum<f32>, reg>
            %19 = arith.constant 64 : index
            %20 = arith.constant 0 : index
            nest.for %20 to %19 step 1 : i64 most 64 : i64 {
            ^bb0(%r: index):
              %21 = nest.read %qp[%b, %g, %r] : !mp.tensor<[B, 128, 64], bf16> -> f32
              %22 = arith.constant 512 : index
              %23 = arith.addi %22, %r : index
              %24 = nest.read %kv[%b, %9, %23] if %12 : !mp.tensor<[B, T, 576], bf16> -> f32
              %25 = arith.mulf %21, %24 : f32
              nest.fold %25 into %sum_r[] : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %26 = nest.finish %sum_r[] : !nest.acc<[] of sum<f32>, reg> -> f32
            %27 = arith.addf %18, %26 : f32
            %28 = arith.constant 0.135233775 : f32
            %29 = arith.mulf %27, %28 : f32
            %30 = arith.constant 0.000000e+00 : f32
            %31 = arith.select %12, %29, %30 : f32
            nest.store %31 in %a[%b, %g, %j] : f32, !nest.buf<[B, 128, 2048] x f32, global>
          }
        }
      }
    }
    nest.phase {
      %32 = mp.dim_size "B" : index
      %33 = arith.constant 0 : index
      nest.for %33 to %32 step 1 : i64 most 64 : i64 {
      ^bb0(%b_1: index):
        %34 = arith.constant 128 : index
        %35 = arith.constant 0 : index
        nest.for %35 to %34 step 1 : i64 most 128 : i64 {
        ^bb0(%g_1: index):
          %36 = arith.constant 2048 : index
          %37 = arith.constant 0 : index
          nest.for %37 to %36 step 1 : i64 most 2048 : i64 {
          ^bb0(%j_1: index):
            %38 = nest.read %picked[%b_1, %j_1] : !mp.tensor<[B, 2048], i32> -> i32
            %39 = arith.index_cast %38 : i32 to index
            %40 = arith.constant 0 : index
            %41 = arith.cmpi sge, %39, %40 : index
            %42 = mp.dim_size "T" per %b_1 : index
            %43 = arith.cmpi slt, %39, %42 : index
            %44 = arith.andi %41, %43 : i1
            %45 = nest.load %a[%b_1, %g_1, %j_1] if %44 : !nest.buf<[B, 128, 2048] x f32, global> -> f32
            %46 = arith.constant 0.000000e+00 : f32
            %47 = arith.select %44, %45, %46 : f32
            nest.store %47 in %value[%b_1, %g_1, %j_1] : f32, !nest.buf<[B, 128, 2048] x f32, global>
          }
        }
      }
    }
    nest.phase {
      %48 = mp.dim_size "B" : index
      %49 = arith.constant 0 : index
      nest.for %49 to %48 step 1 : i64 most 64 : i64 {
      ^bb0(%b_2: index):
        %50 = arith.constant 128 : index
        %51 = arith.constant 0 : index
        nest.for %51 to %50 step 1 : i64 most 128 : i64 {
        ^bb0(%g_2: index):
          %52 = arith.constant 0 : index
          %53 = mp.dim_size "T" per %b_2 : index
          %max_j = nest.acc "max_j" : !nest.acc<[] of max<f32>, reg>
          %54 = arith.constant 2048 : index
          %55 = arith.constant 0 : index
          nest.for %55 to %54 step 1 : i64 most 2048 : i64 {
          ^bb0(%j_2: index):
            %56 = nest.read %picked[%b_2, %j_2] : !mp.tensor<[B, 2048], i32> -> i32
            %57 = arith.index_cast %56 : i32 to index
            %58 = arith.cmpi sge, %57, %52 : index
            %59 = arith.cmpi slt, %57, %53 : index
            %60 = arith.andi %58, %59 : i1
            %61 = nest.load %value[%b_2, %g_2, %j_2] if %60 : !nest.buf<[B, 128, 2048] x f32, global> -> f32
            nest.fold %61 into %max_j[] if %60 : f32 into !nest.acc<[] of max<f32>, reg>
          }
          %62 = nest.finish %max_j[] : !nest.acc<[] of max<f32>, reg> -> f32
          nest.store %62 in %value_1[%b_2, %g_2] : f32, !nest.buf<[B, 128] x f32, global>
        }
      }
    }
    nest.phase {
      %63 = mp.dim_size "B" : index
      %64 = arith.constant 0 : index
      nest.for %64 to %63 step 1 : i64 most 64 : i64 {
      ^bb0(%b_3: index):
        %65 = arith.constant 128 : index
        %66 = arith.constant 0 : index
        nest.for %66 to %65 step 1 : i64 most 128 : i64 {
        ^bb0(%g_3: index):
          %67 = nest.load %value_1[%b_3, %g_3] : !nest.buf<[B, 128] x f32, global> -> f32
          %68 = arith.constant 0 : index
          %69 = mp.dim_size "T" per %b_3 : index
          %sum_j = nest.acc "sum_j" : !nest.acc<[] of sum<f32>, reg>
          %70 = arith.constant 2048 : index
          %71 = arith.constant 0 : index
          nest.for %71 to %70 step 1 : i64 most 2048 : i64 {
          ^bb0(%j_3: index):
            %72 = nest.read %picked[%b_3, %j_3] : !mp.tensor<[B, 2048], i32> -> i32
            %73 = arith.index_cast %72 : i32 to index
            %74 = arith.cmpi sge, %73, %68 : index
            %75 = arith.cmpi slt, %73, %69 : index
            %76 = arith.andi %74, %75 : i1
            %77 = nest.load %value[%b_3, %g_3, %j_3] if %76 : !nest.buf<[B, 128, 2048] x f32, global> -> f32
            %78 = arith.subf %77, %67 : f32
            %79 = math.exp %78 : f32
            nest.fold %79 into %sum_j[] if %76 : f32 into !nest.acc<[] of sum<f32>, reg>
          }
          %80 = nest.finish %sum_j[] : !nest.acc<[] of sum<f32>, reg> -> f32
          nest.store %80 in %value_2[%b_3, %g_3] : f32, !nest.buf<[B, 128] x f32, global>
        }
      }
    }
    nest.phase {
      %81 = mp.dim_size "B" : index
      %82 = arith.constant 0 : index
      nest.for %82 to %81 step 1 : i64 most 64 : i64 {
      ^bb0(%b_4: index):
        %83 = arith.constant 128 : index
        %84 = arith.constant 0 : index
        nest.for %84 to %83 step 1 : i64 most 128 : i64 {
        ^bb0(%g_4: index):
          %85 = arith.constant 2048 : index
          %86 = arith.constant 0 : index
          nest.for %86 to %85 step 1 : i64 most 2048 : i64 {
          ^bb0(%j_4: index):
            %87 = nest.load %value_1[%b_4, %g_4] : !nest.buf<[B, 128] x f32, global> -> f32
            %88 = nest.read %picked[%b_4, %j_4] : !mp.tensor<[B, 2048], i32> -> i32
            %89 = arith.index_cast %88 : i32 to index
            %90 = arith.constant 0 : index
            %91 = arith.cmpi sge, %89, %90 : index
            %92 = mp.dim_size "T" per %b_4 : index
            %93 = arith.cmpi slt, %89, %92 : index
            %94 = arith.andi %91, %93 : i1
            %95 = nest.load %value[%b_4, %g_4, %j_4] if %94 : !nest.buf<[B, 128, 2048] x f32, global> -> f32
            %96 = arith.subf %95, %87 : f32
            %97 = math.exp %96 : f32
            %98 = nest.load %value_2[%b_4, %g_4] : !nest.buf<[B, 128] x f32, global> -> f32
            %99 = arith.divf %97, %98 : f32
            %100 = arith.constant 0.000000e+00 : f32
            %101 = arith.select %94, %99, %100 : f32
            nest.store %101 in %p[%b_4, %g_4, %j_4] : f32, !nest.buf<[B, 128, 2048] x f32, global>
          }
        }
      }
    }
    nest.phase {
      %102 = mp.dim_size "B" : index
      %103 = arith.constant 0 : index
      nest.for %103 to %102 step 1 : i64 most 64 : i64 {
      ^bb0(%b_5: index):
        %104 = arith.constant 128 : index
        %105 = arith.constant 0 : index
        nest.for %105 to %104 step 1 : i64 most 128 : i64 {
        ^bb0(%g_5: index):
          %106 = arith.constant 512 : index
          %107 = arith.constant 0 : index
          nest.for %107 to %106 step 1 : i64 most 512 : i64 {
          ^bb0(%v_1: index):
            %108 = arith.constant 0 : index
            %109 = mp.dim_size "T" per %b_5 : index
            %sum_j_1 = nest.acc "sum_j" : !nest.acc<[] of sum<f32>, reg>
            %110 = arith.constant 2048 : index
            %111 = arith.constant 0 : index
            nest.for %111 to %110 step 1 : i64 most 2048 : i64 {
            ^bb0(%j_5: index):
              %112 = nest.read %picked[%b_5, %j_5] : !mp.tensor<[B, 2048], i32> -> i32
              %113 = arith.index_cast %112 : i32 to index
              %114 = arith.cmpi sge, %113, %108 : index
              %115 = arith.cmpi slt, %113, %109 : index
              %116 = arith.andi %114, %115 : i1
              %117 = nest.load %p[%b_5, %g_5, %j_5] if %116 : !nest.buf<[B, 128, 2048] x f32, global> -> f32
              %118 = nest.read %kv[%b_5, %113, %v_1] if %116 : !mp.tensor<[B, T, 576], bf16> -> f32
              %119 = arith.mulf %117, %118 : f32
              nest.fold %119 into %sum_j_1[] if %116 : f32 into !nest.acc<[] of sum<f32>, reg>
            }
            %120 = nest.finish %sum_j_1[] : !nest.acc<[] of sum<f32>, reg> -> f32
            nest.store %120 in %ol[%b_5, %g_5, %v_1] : f32, !nest.buf<[B, 128, 512] x f32, global>
          }
        }
      }
    }
  }
}
