# The network that is pretrained and searched: a ResNet of mixed cells as MMPretrain's classifier. A child sets
# backbone.depth, head.num_classes and the data preprocessor.
model = dict(
    type='nasbnn_det.BinaryClassifier',
    backbone=dict(
        type='nasbnn_det.NASBSearchResNet',
        out_indices=(3, ),
        space=dict(
            num_nodes=3,
            operations=('none', 'skip_connect', 'avg_pool_3x3', 'max_pool_3x3', 'bin_conv_3x3', 'bin_conv_5x5',
                        'bin_dil_conv_3x3'),
            num_bases=1)),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='mmpretrain.LinearClsHead',
        loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
        topk=(1, )))
